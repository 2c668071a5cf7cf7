//! A style in its own words: the same text for all styles that look the same.

use super::{Align, Case, Content, Family, Label, Look, Rgb, Style};
use serde_json::{Map, Value, json};

impl Style {
    /// The JSON that this style is read from, in one way of all that there are: a key for what was
    /// made by it.
    pub fn canonical(&self) -> String {
        let mut words = Map::new();
        for label in Label::ALL {
            let ignored = || self.ignored.iter().filter(|ignored| ignored.label == label);
            let all_at_once = ignored().all(|ignored| ignored.property != "margin");
            let mut look = self.look(label).canonical(all_at_once);
            for ignored in ignored() {
                let value = serde_json::from_str(&ignored.value).unwrap_or_default();
                look.insert(ignored.property.clone(), value);
            }
            if !look.is_empty() {
                words.insert(label.word().to_owned(), look.into());
            }
        }
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
    fn canonical(&self, all_at_once: bool) -> Map<String, Value> {
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
        put(&mut words, "fontStyle", self.italic.map(|italic| if italic { "italic" } else { "normal" }));
        let case = self.case.map(|case| match case {
            Case::Plain => "none",
            Case::Upper => "uppercase",
            Case::Lower => "lowercase",
            Case::Title => "capitalize",
        });
        put(&mut words, "textTransform", case);
        // A value for all sides is followed as a whole, or not at all.
        if all_at_once {
            let margins =
                self.margins.iter().any(|margin| *margin > 0.0).then(|| self.margins.map(points).join(" "));
            put(&mut words, "margin", margins);
        } else {
            let sides = ["marginTop", "marginRight", "marginBottom", "marginLeft"];
            for (side, margin) in sides.into_iter().zip(self.margins).filter(|(_, margin)| *margin > 0.0) {
                put(&mut words, side, Some(points(margin)));
            }
        }
        words
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
