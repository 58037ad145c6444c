//! A real browser: what a page looks like with a typeface, on paper too, and whether anything in it is cut or broken.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The typefaces of a bare Debian and of an office: the one wide, the other as wide as Arial.
pub(super) const FONTS: [&str; 2] = ["DejaVu Sans", "Liberation Sans"];

/// A4 within the margins of the pages, in CSS pixels.
pub(super) const PORTRAIT: u32 = 703;
pub(super) const LANDSCAPE: u32 = 1_031;

/// Says of each table whether a cell or the table is wider than its place, and of each word whether it is broken.
const MEASURE: &str = r"
const wrong = [], name = e => (e.innerText || '').slice(0, 60);
const width = document.documentElement.clientWidth;
for (const table of document.querySelectorAll('table')) {
  if (table.getBoundingClientRect().right > width + 0.5) wrong.push('table wider than the page: ' + name(table));
  const around = table.parentElement.getBoundingClientRect();
  if (table.getBoundingClientRect().right > around.right + 0.5) wrong.push('table wider than its place: ' + name(table));
}
let cells = 0;
for (const cell of document.querySelectorAll('td,th,.tiles b,.tiles span')) {
  cells++;
  if (cell.scrollWidth > cell.clientWidth + 1) wrong.push('cut: ' + name(cell));
  const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    for (const word of walk.currentNode.data.matchAll(/\S+/g)) {
      const range = document.createRange();
      range.setStart(walk.currentNode, word.index);
      range.setEnd(walk.currentNode, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map(r => Math.round(r.top)));
      // A browser may break behind a hyphen, as people do.
      if (lines.size > 1 && !/[-–]/.test(word[0])) wrong.push('broken: ' + word[0]);
    }
  }
}
document.title = JSON.stringify({ cells, wrong });
";

/// The page in a typeface, with what `more` puts at its end; it may run what the real one may not.
fn copy(page: &Path, font: &str, more: &str) -> tempfile::NamedTempFile {
    let text = fs::read_to_string(page).unwrap();
    let begin = text.find("<meta http-equiv=Content-Security-Policy").expect("every page has a policy");
    let end = begin + text[begin..].find('>').unwrap() + 1;
    let style = format!("<style>*{{font-family:'{font}'!important}}</style>");
    let text = format!("{}{style}{}{more}", &text[..begin], &text[end..]);
    let file = tempfile::Builder::new().suffix(".html").tempfile().unwrap();
    fs::write(file.path(), text).unwrap();
    file
}

fn browse(page: &Path, more: &[String]) -> String {
    let profile = tempfile::tempdir().unwrap();
    let chromium = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-pdf-header-footer",
        ])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(more)
        .arg(format!("file://{}", page.display()))
        .output();
    let chromium = chromium.expect("chromium: apt-get install chromium");
    assert!(chromium.status.success(), "{}", String::from_utf8_lossy(&chromium.stderr));
    String::from_utf8_lossy(&chromium.stdout).into_owned()
}

/// What is cut or broken in a page of this width, as it is printed where `paper`.
pub(super) fn wrong(page: &Path, font: &str, width: u32, paper: bool) -> Vec<String> {
    let copied = copy(page, font, &format!("<script>{MEASURE}</script>"));
    if paper {
        let text = fs::read_to_string(copied.path()).unwrap().replace("@media print", "@media all");
        fs::write(copied.path(), text).unwrap();
    }
    let dom = browse(copied.path(), &["--dump-dom".to_owned(), format!("--window-size={width},2000")]);
    let title = dom.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>")).unwrap().0;
    let found: Value =
        serde_json::from_str(&title.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
            .unwrap_or_else(|_| panic!("the page was not measured: {title}"));
    assert!(found["cells"].as_u64() > Some(0), "a page without cells: {}", page.display());
    found["wrong"].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

/// Prints a page; the PDF and a picture of each of its pages lie in the tests' output folder. What the paper says.
pub(super) fn print(page: &Path, font: &str, name: &str) -> (PathBuf, String) {
    let output = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let name = format!("{name}-{}", font.split(' ').next().unwrap().to_lowercase());
    let paper = output.join(format!("{name}.pdf"));
    let _ = fs::remove_file(&paper);
    browse(copy(page, font, "").path(), &[format!("--print-to-pdf={}", paper.display())]);
    let mut pictures = Command::new("pdftoppm");
    pictures.args(["-r", "80", "-png", "-l", "3"]).arg(&paper).arg(output.join(&name));
    assert!(pictures.status().expect("pdftoppm: apt-get install poppler-utils").success());
    let text = Command::new("pdftotext").args(["-layout"]).arg(&paper).arg("-").output();
    (paper, String::from_utf8(text.expect("pdftotext: apt-get install poppler-utils").stdout).unwrap())
}
