//! Exported objects: the rows of a CSV file as `Export-Csv` writes it, or of JSON as `ConvertTo-Json` does, in the encodings
//! of Windows and of PowerShell 7.

use std::collections::BTreeMap;

use serde_json::Value;

/// One exported object.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// By the name of the property in small letters.
    fields: BTreeMap<String, Vec<String>>,
    /// The file.
    pub(super) file: String,
    /// The line where it begins; in JSON, the number of the object.
    pub(super) line: u64,
}

impl Row {
    /// Whether the object has the property, with a value or without.
    pub(super) fn has(&self, property: &str) -> bool {
        self.fields.contains_key(&property.to_ascii_lowercase())
    }

    /// The values of a property; none where it is absent or empty.
    pub(super) fn values(&self, property: &str) -> &[String] {
        self.fields.get(&property.to_ascii_lowercase()).map(Vec::as_slice).unwrap_or_default()
    }

    /// The first value of the first of these properties that has one.
    pub(super) fn first(&self, properties: &[&str]) -> Option<&str> {
        properties.iter().find_map(|property| self.values(property).first()).map(String::as_str)
    }

    /// A property that is true or false.
    pub(super) fn flag(&self, property: &str) -> Option<bool> {
        match self.first(&[property])?.trim_start_matches('$').to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }

    /// The names of its properties.
    pub(super) fn properties(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }
}

/// The objects in a file, and its head: an object without values, where nothing was exported but the names.
pub(super) fn read(file: &str, octets: &[u8]) -> Result<(Row, Vec<Row>), String> {
    let text = decoded(octets);
    let text = text.trim_start_matches('\u{feff}');
    match text.trim_start().chars().next() {
        None => Err("is empty: nothing was exported".to_owned()),
        Some('[' | '{') => json(file, text),
        Some(_) => csv(file, text),
    }
}

/// Text in UTF-8 or UTF-16, else of Windows' own code page, of which names alone are not ASCII.
fn decoded(octets: &[u8]) -> String {
    let wide = |from: fn([u8; 2]) -> u16, octets: &[u8]| {
        let units: Vec<u16> =
            octets.chunks_exact(2).filter_map(|pair| Some(from(pair.try_into().ok()?))).collect();
        String::from_utf16_lossy(&units)
    };
    match octets {
        [0xFF, 0xFE, rest @ ..] => wide(u16::from_le_bytes, rest),
        [0xFE, 0xFF, rest @ ..] => wide(u16::from_be_bytes, rest),
        [first, 0, ..] if *first != 0 => wide(u16::from_le_bytes, octets),
        _ => match std::str::from_utf8(octets) {
            Ok(text) => text.to_owned(),
            Err(_) => octets.iter().map(|octet| char::from(*octet)).collect(),
        },
    }
}

fn csv(file: &str, text: &str) -> Result<(Row, Vec<Row>), String> {
    // Windows PowerShell writes the type before the names, unless told not to.
    let (before, text) = match text.strip_prefix("#TYPE") {
        Some(rest) => (1, rest.split_once('\n').map_or("", |(_, rest)| rest)),
        None => (0, text),
    };
    // Lines are counted by their ends, and those of Windows have two.
    let text = text.replace("\r\n", "\n");
    let names = text.lines().next().unwrap_or_default();
    let delimiter = [b',', b';', b'\t']
        .into_iter()
        .max_by_key(|delimiter| names.bytes().filter(|octet| octet == delimiter).count())
        .unwrap_or(b',');
    let mut reader = ::csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
    let names: Vec<String> = reader
        .headers()
        .map_err(|error| format!("is not CSV: {error}"))?
        .iter()
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let row = |cells: &mut dyn Iterator<Item = &str>, line: u64| Row {
        fields: names
            .iter()
            .zip(cells)
            .map(|(name, cell)| {
                (name.clone(), Some(cell.trim().to_owned()).filter(|c| !c.is_empty()).into_iter().collect())
            })
            .collect(),
        file: file.to_owned(),
        line,
    };
    let head = row(&mut names.iter().map(|_| ""), before + 1);
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| format!("is not CSV: {error}"))?;
        let line = record.position().map_or(0, ::csv::Position::line) + before;
        rows.push(row(&mut record.iter(), line));
    }
    Ok((head, rows))
}

fn json(file: &str, text: &str) -> Result<(Row, Vec<Row>), String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
    let objects = match value {
        Value::Array(objects) => objects,
        other => vec![other],
    };
    let mut rows = Vec::new();
    for (number, object) in (1..).zip(objects) {
        let Value::Object(object) = object else { return Err("is JSON, but not of objects".to_owned()) };
        let fields = object.iter().map(|(name, value)| (name.to_ascii_lowercase(), values(value)));
        rows.push(Row { fields: fields.collect(), file: file.to_owned(), line: number });
    }
    // Objects of one kind need not all have the same properties.
    let names = rows.iter().flat_map(|row: &Row| row.fields.keys());
    let fields: BTreeMap<String, Vec<String>> = names.map(|name| (name.clone(), Vec::new())).collect();
    if rows.is_empty() {
        return Err("is empty: nothing was exported".to_owned());
    }
    Ok((Row { fields, file: file.to_owned(), line: 1 }, rows))
}

/// What an object of Exchange says of itself, the plainest first.
const SAYS: [&str; 9] = [
    "ProxyAddressString",
    "AddressString",
    "SmtpAddress",
    "Address",
    "PrimarySmtpAddress",
    "Domain",
    "DistinguishedName",
    "Name",
    "Value",
];

fn values(value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::Bool(flag) => vec![flag.to_string()],
        Value::Number(number) => vec![number.to_string()],
        Value::String(text) if text.trim().is_empty() => Vec::new(),
        Value::String(text) => vec![text.trim().to_owned()],
        Value::Array(inner) => inner.iter().flat_map(values).collect(),
        Value::Object(object) => {
            let said = SAYS.iter().filter_map(|name| object.get(*name)).map(values);
            let Some(said) = said.into_iter().find(|said| !said.is_empty()) else {
                return vec![value.to_string()];
            };
            // An address space with its cost, as it is written in text: `*;1`.
            match object.get("Cost") {
                Some(Value::Number(cost)) => said.iter().map(|space| format!("{space};{cost}")).collect(),
                _ => said,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sixteen(text: &str, big: bool) -> Vec<u8> {
        let units = std::iter::once('\u{feff}').chain(text.chars()).collect::<String>();
        units
            .encode_utf16()
            .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect()
    }

    #[test]
    fn every_encoding_of_powershell_is_read() {
        let text = "#TYPE Selected.System.Management.Automation.PSCustomObject\r\n\"Name\";\"ForwardTo\"\r\n\"Åsa\";\"\"\"Åsa, p\"\" [SMTP:a@example.org]\"\r\n\"Bo\";\"\"\r\n";
        let plain = text.split_once('\n').unwrap().1;
        let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        for (octets, first) in [
            (text.as_bytes().to_vec(), 3),
            (format!("\u{feff}{text}").into_bytes(), 3),
            (sixteen(text, false), 3),
            (sixteen(text, true), 3),
            (sixteen(text, false).split_off(2), 3),
            (latin, 3),
            (plain.as_bytes().to_vec(), 2),
        ] {
            let (head, rows) = read("F", &octets).unwrap();
            assert!(head.has("forwardto") && !head.has("x") && rows.len() == 2, "{rows:?}");
            assert_eq!(rows[0].values("Name"), ["Åsa"]);
            assert_eq!(rows[0].values("FORWARDTO"), ["\"Åsa, p\" [SMTP:a@example.org]"]);
            assert!(rows[1].values("ForwardTo").is_empty());
            assert_eq!((rows[0].line, rows[1].line), (first, first + 1));
        }
    }

    #[test]
    fn json_of_one_object_or_several() {
        let one = r#"{"Name":"Default","DomainName":{"Domain":"*"},"AutoForwardEnabled":true,"X":null}"#;
        for text in [one.to_owned(), format!("[{one}]")] {
            let (_, rows) = read("F", text.as_bytes()).unwrap();
            assert_eq!(
                (rows[0].values("DomainName"), rows[0].flag("AutoForwardEnabled")),
                (&["*".to_owned()][..], Some(true))
            );
            assert!(rows[0].has("X") && rows[0].values("X").is_empty());
        }
        let many = r#"[{"ForwardTo":["a@b.se",{"Address":"c@d.se","RoutingType":"SMTP"}]},{"ForwardTo":[]}]"#;
        let (_, rows) = read("F", many.as_bytes()).unwrap();
        assert_eq!(rows[0].values("ForwardTo"), ["a@b.se", "c@d.se"]);
        assert_eq!(rows[1].line, 2);
    }

    #[test]
    fn what_is_no_export_says_so() {
        for (octets, said) in [
            (&b""[..], "is empty"),
            (b"[]", "is empty"),
            (b"[1]", "not of objects"),
            (b"{\"a\":", "is not JSON"),
            (b"a,b\n1\n", "is not CSV"),
        ] {
            assert!(read("F", octets).unwrap_err().contains(said), "{said}");
        }
    }
}
