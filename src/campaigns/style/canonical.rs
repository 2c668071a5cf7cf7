//! A style in its own words: the same text for all styles that look the same.

use super::{Align, Content, Family, Look, Rgb, Style};
use serde_json::{Map, Value, json};

impl Style {
    /// The JSON that this style is read from, in one way of all that there are: a key for what was
    /// made by it.
    pub fn canonical(&self) -> String {
        let [first, second, third, fourth] = &self.lines;
        let looks = [
            ("voucherText1Lbl", first),
            ("voucherText2Lbl", second),
            ("voucherText3Lbl", third),
            ("voucherText4Lbl", fourth),
            ("voucherValueLbl", &self.value),
            ("voucherExpiryLbl", &self.expiry),
            ("voucherCodeLbl", &self.code),
        ];
        let looks = looks.into_iter().filter(|(_, look)| **look != Look::default());
        let mut words: Map<String, Value> =
            looks.map(|(name, look)| (name.to_owned(), look.canonical())).collect();
        put(&mut words, "sheet", self.sheet.map(super::SheetKind::word));
        put(&mut words, "bleed", self.bleed.map(points));
        put(&mut words, "marks", self.marks);
        put(&mut words, "ruler", self.ruler);
        put(&mut words, "content", self.content.canonical());
        put(&mut words, "code128", self.code128.then_some(true));
        put(&mut words, "locale", self.locale.map(|locale| locale.to_string()));
        Value::Object(words).to_string()
    }
}

impl Look {
    fn canonical(&self) -> Value {
        let mut words = Map::new();
        put(&mut words, "fontSize", self.font_size.map(points));
        put(&mut words, "fontWeight", self.bold.map(|bold| if bold { "bold" } else { "normal" }));
        let color = self.color.map(|Rgb(red, green, blue)| format!("#{red:02x}{green:02x}{blue:02x}"));
        put(&mut words, "color", color);
        let align = self.align.map(|align| match align {
            Align::Start => "start",
            Align::Left => "left",
            Align::Center => "center",
            Align::Right => "right",
        });
        put(&mut words, "align", align);
        let family = self.family.map(|family| match family {
            Family::Sans => "sans-serif",
            Family::Serif => "serif",
            Family::Mono => "monospace",
        });
        put(&mut words, "fontFamily", family);
        Value::Object(words)
    }
}

impl Content {
    fn canonical(&self) -> Option<Value> {
        match self {
            Self::Code => None,
            Self::Url(template) => Some(json!({ "url": template })),
            Self::DigitalLink { domain, gcn } => {
                Some(json!({ "digitalLink": { "domain": domain, "gcn": gcn } }))
            }
        }
    }
}

fn points(points: f32) -> String {
    format!("{points}pt")
}

fn put(words: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        words.insert(name.to_owned(), value.into());
    }
}
