//! Pages: one file without anything from outside, right on a screen and on paper. Each is a template beside this file, and
//! whatever is put into one is escaped, but for [`markup`] that is made here: charts and styles.

use std::io::{self, Write};
use std::sync::LazyLock;

use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior};

pub use minijinja::Value;

use super::visible;

/// Light and dark, A4, the system's own typeface. The colours of charts are told apart also by those who do not tell
/// red from green, and each chart has its table.
const COMMON: &str = include_str!("pages/common.css");

/// A template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    /// What all pages begin with.
    Head,
    /// The beginning of a list of records.
    LogHead,
    /// One record.
    LogRow,
    /// When records were read.
    LogLooks,
    /// The end of a list of records.
    LogFoot,
    /// The beginning of a list of records, as earlier versions wrote it.
    FormerLogHead,
    /// One record, as earlier versions wrote it.
    FormerLogRow,
    /// The report of a period.
    Report,
    /// A document to be signed.
    Document,
}

impl Template {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Head, include_str!("pages/head.html")),
        (Self::LogHead, include_str!("pages/log-head.html")),
        (Self::LogRow, include_str!("pages/log-row.html")),
        (Self::LogLooks, include_str!("pages/log-looks.html")),
        (Self::LogFoot, include_str!("pages/log-foot.html")),
        (Self::FormerLogHead, include_str!("pages/former-log-head.html")),
        (Self::FormerLogRow, include_str!("pages/former-log-row.html")),
        (Self::Report, include_str!("pages/report.html")),
        (Self::Document, include_str!("pages/document.html")),
    ];

    fn name(self) -> String {
        format!("{self:?}")
    }
}

static TEMPLATES: LazyLock<Result<Environment<'static>, String>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(|out, _, value| {
        let written = match value.as_str() {
            Some(text) if value.is_safe() => out.write_str(text),
            Some(text) => out.write_str(&escaped(text)),
            None => out.write_str(&escaped(&value.to_string())),
        };
        Ok(written?)
    });
    for (template, source) in Template::ALL {
        environment.add_template_owned(template.name(), source).map_err(|error| told(&error))?;
    }
    Ok(environment)
});

/// What is wrong with a template, which is a mistake of this program.
fn told(error: &Error) -> String {
    let name = error.name().unwrap_or("a page");
    format!("{name}:{}: {}: {}", error.line().unwrap_or(0), error.kind(), error.detail().unwrap_or_default())
}

/// Writes a template with these fields.
pub fn write<'f>(
    out: &mut impl Write,
    template: Template,
    fields: impl IntoIterator<Item = (&'f str, Value)>,
) -> io::Result<()> {
    let environment = TEMPLATES.as_ref().map_err(|error| io::Error::other(error.clone()))?;
    let page = environment
        .get_template(&template.name())
        .and_then(|template| template.render(record(fields)))
        .map_err(|error| io::Error::other(told(&error)))?;
    writeln!(out, "{}", page.trim_end_matches('\n'))
}

/// Begins a page that looks like this.
pub fn start(out: &mut impl Write, title: &str, style: &str) -> io::Result<()> {
    let style = format!("\n{}\n{}", COMMON.trim_end(), style.trim_end());
    write(out, Template::Head, [("title", title.into()), ("style", markup(style))])
}

/// What is markup already, and made by this program of nothing but its own.
pub fn markup(text: String) -> Value {
    Value::from_safe_string(text)
}

/// Several values under their names.
pub fn record<'f>(fields: impl IntoIterator<Item = (&'f str, Value)>) -> Value {
    Value::from_pairs(fields)
}

/// One after the other.
pub fn list<T: Into<Value>>(items: impl IntoIterator<Item = T>) -> Value {
    Value::from(items.into_iter().map(Into::into).collect::<Vec<Value>>())
}

/// Names with their values.
pub fn pairs<N: Into<Value>, V: Into<Value>>(items: impl IntoIterator<Item = (N, V)>) -> Value {
    list(items.into_iter().map(|(name, value)| record([("name", name.into()), ("value", value.into())])))
}

/// Letters of a word that stay together.
const WORD: usize = 24;

/// Text for a page with the places where a long word, such as an address, may be broken: no other word is.
pub fn breakable(text: &str) -> Value {
    let shown = visible(text);
    let mut out = String::with_capacity(shown.len() + 16);
    for word in shown.split_inclusive(char::is_whitespace) {
        if word.chars().count() <= WORD {
            out.push_str(&escaped(word));
            continue;
        }
        let mut together = 0;
        let mut before = None;
        for c in word.chars() {
            let may = matches!(before, Some('@' | '-' | '_' | '/' | '=' | ',' | ';'))
                || c == '.' && before.is_some();
            if may && together > 3 || together >= WORD {
                out.push_str("<wbr>");
                together = 0;
            }
            out.push_str(&escaped(c.encode_utf8(&mut [0; 4])));
            together += 1;
            before = Some(c);
        }
    }
    markup(out)
}

/// Text for a page: what cannot be seen written out, and nothing of it markup.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_words_are_broken_and_at_their_joints() {
        for (text, wanted) in [
            ("Inkommande", "Inkommande"),
            ("per.nystrom@exempelby.se", "per.nystrom@exempelby.se"),
            (
                "registrator@socialen.exempelby.se <x>",
                "registrator@<wbr>socialen<wbr>.exempelby<wbr>.se &lt;x&gt;",
            ),
        ] {
            assert_eq!(breakable(text).as_str(), Some(wanted));
        }
        assert_eq!(breakable(&"å".repeat(60)).as_str().unwrap().matches("<wbr>").count(), 2);
    }

    #[test]
    fn whatever_is_put_into_a_page_is_escaped() {
        let mut page = Vec::new();
        let hostile = "<script>alert('å')</script>&\"\u{202E}\0";
        start(&mut page, hostile, "a{}").unwrap();
        let looks = list([list([hostile, "<b>"])]);
        write(&mut page, Template::LogLooks, [("looks", looks)]).unwrap();
        let page = String::from_utf8(page).unwrap();
        assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
        assert_eq!(
            page.matches("&lt;script&gt;alert(&#39;å&#39;)&lt;/script&gt;&amp;&quot;\\u{202e}").count(),
            2
        );
        assert!(
            write(&mut Vec::new(), Template::LogFoot, []).is_err(),
            "a field that is missing is a mistake"
        );
    }
}
