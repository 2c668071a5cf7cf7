//! Faults that readers of data find, in words for people: they speak of the types of this program.

/// A refusal by serde: `invalid type: floating point `1.5`, expected i64` is
/// `must be a whole number, not 1.5`. What it does not know stays as it is.
pub fn plain(message: &str) -> String {
    if let Some(rest) =
        message.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected "))
    {
        return format!("must be {}, not {}", expected(rest.1), seen(rest.0));
    }
    if let Some(rest) =
        message.strip_prefix("invalid value: ").and_then(|rest| rest.rsplit_once(", expected "))
    {
        return format!("must be {}, not {}", within(rest.1), seen(rest.0));
    }
    if let Some(rest) =
        message.strip_prefix("invalid length ").and_then(|rest| rest.split_once(", expected "))
    {
        return format!("must be {}, and has {}", expected(rest.1), rest.0);
    }
    if let Some((seen, words)) =
        message.strip_prefix("unknown variant `").and_then(|rest| rest.split_once("`, expected "))
    {
        return format!("must be {}, not {seen:?}", words.replace('`', "\""));
    }
    match message {
        "expected value" => "must be a string".to_owned(),
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            "must be a whole number".to_owned()
        }
        "number too large to fit in target type" | "number out of range" => {
            "must be a smaller number".to_owned()
        }
        "number too small to fit in target type" => "must be a larger number".to_owned(),
        "invalid float literal" | "cannot parse float from empty string" => "must be a number".to_owned(),
        "provided string was not `true` or `false`" => "must be true or false".to_owned(),
        _ if message.starts_with("data did not match any variant") => {
            "is of none of the forms that are taken here".to_owned()
        }
        _ => message.to_owned(),
    }
}

/// The kind of value that a reader expects.
pub fn expected(what: &str) -> String {
    let plain = match what {
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number from 0 on",
        "f32" | "f64" => "a number",
        "a boolean" | "bool" => "true or false",
        "a borrowed string" | "str" | "string" | "String" => "a string",
        "a sequence" => "an array",
        "a map" => "an object",
        "unit" => "null",
        _ if what.starts_with("struct ") => "an object",
        _ if what.starts_with("tuple") || what.starts_with("a tuple") => "an array",
        _ if what.contains("enum ") || what == "variant identifier" => "one of the words that are taken here",
        _ => what.strip_prefix("must be ").unwrap_or(what),
    };
    plain.to_owned()
}

/// The same where a number is of the right kind, and beyond its bounds.
pub fn within(what: &str) -> String {
    let bounds: (i128, i128) = match what {
        "i8" => (i8::MIN.into(), i8::MAX.into()),
        "i16" => (i16::MIN.into(), i16::MAX.into()),
        "i32" => (i32::MIN.into(), i32::MAX.into()),
        "i64" | "isize" => (i64::MIN.into(), i64::MAX.into()),
        "u8" => (0, u8::MAX.into()),
        "u16" => (0, u16::MAX.into()),
        "u32" => (0, u32::MAX.into()),
        "u64" | "usize" => (0, u64::MAX.into()),
        _ => return expected(what),
    };
    format!("a whole number from {} to {}", bounds.0, bounds.1)
}

/// What was there instead.
fn seen(what: &str) -> String {
    const SHOWN_MAX: usize = 60;
    let value = ["integer `", "floating point `", "boolean `", "character `"]
        .iter()
        .find_map(|kind| what.strip_prefix(kind)?.strip_suffix('`'))
        .or_else(|| what.strip_prefix("string "));
    let plain = match what {
        "sequence" => "an array",
        "map" => "an object",
        "unit value" | "Option value" => "null",
        _ => value.unwrap_or(what),
    };
    if plain.chars().nth(SHOWN_MAX).is_some() {
        return format!("{}…", plain.chars().take(SHOWN_MAX).collect::<String>());
    }
    plain.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, de::DeserializeOwned};

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        One,
        Two,
    }

    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only what is said of it matters")]
    enum Either {
        Number(i64),
        Text(String),
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only what is said of it matters")]
    struct Pair {
        one: i64,
    }

    fn said<T: DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
        let message = serde_json::from_str::<T>(json).unwrap_err().to_string();
        plain(message.split(" at line ").next().unwrap())
    }

    #[test]
    fn no_type_of_the_program_is_named() {
        assert_eq!(said::<i64>("1.5"), "must be a whole number, not 1.5");
        assert_eq!(said::<i64>("\"x, expected y\""), "must be a whole number, not \"x, expected y\"");
        assert_eq!(said::<u32>("-1"), "must be a whole number from 0 to 4294967295, not -1");
        assert_eq!(
            said::<i64>("9223372036854775808"),
            "must be a whole number from -9223372036854775808 to 9223372036854775807, not 9223372036854775808"
        );
        assert_eq!(said::<f64>("null"), "must be a number, not null");
        assert_eq!(said::<bool>("[]"), "must be true or false, not an array");
        assert_eq!(said::<String>("true"), "must be a string, not true");
        assert_eq!(said::<Vec<i64>>("{}"), "must be an array, not an object");
        assert_eq!(said::<Pair>("7"), "must be an object, not 7");
        assert_eq!(said::<(i64, i64)>("[1]"), "must be an array, and has 1");
        assert_eq!(said::<Word>("\"three\""), "must be \"one\" or \"two\", not \"three\"");
        assert_eq!(said::<Either>("[]"), "is of none of the forms that are taken here");
        assert_eq!(said::<i64>(&format!("\"{}\"", "x".repeat(99))).chars().count(), 89);
        assert_eq!(plain("must be a colour"), "must be a colour");
        for (text, expected) in [("", "must be a whole number"), ("x", "must be a whole number")] {
            assert_eq!(plain(&text.parse::<i64>().unwrap_err().to_string()), expected);
        }
    }
}
