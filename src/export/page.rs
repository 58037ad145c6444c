//! What all pages have in common: one file without anything from outside, right on a screen and on paper.

use std::io::{self, Write};

/// Light and dark, A4, the system's own typeface. The colours of charts are told apart also by those who do not tell
/// red from green, and each chart has its table.
const STYLE: &str = "
:root{--ink:#1b2430;--soft:#5b6675;--line:#d5dbe3;--paper:#fff;--wash:#f3f5f8;--a:#1f5f99;--b:#e08a1e;--c:#4a9b7f;--d:#a23b57;--e:#7d6bb0;--f:#8a8f98;color-scheme:light}
*{box-sizing:border-box}
html{font:15px/1.5 system-ui,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',sans-serif;color:var(--ink);background:var(--wash)}
body{max-width:76rem;margin:0 auto;padding:2.5rem;background:var(--paper);min-height:100vh}
h1{font-size:1.9rem;line-height:1.2;margin:.2rem 0 1rem;letter-spacing:-.01em}
h2{font-size:1.25rem;margin:2.4rem 0 .3rem;padding-top:1.2rem;border-top:2px solid var(--ink);break-after:avoid}
h1 [lang=en],h2 [lang=en],th [lang=en],dt [lang=en]{color:var(--soft);font-weight:400;font-size:.8em}
.org{margin:0;color:var(--soft);letter-spacing:.04em;text-transform:uppercase;font-size:.8rem}
dl.about{display:flex;flex-wrap:wrap;gap:.5rem 2rem;margin:0 0 1.5rem;padding:.8rem 1rem;background:var(--wash);border-radius:.4rem}
dl.about dt{font-size:.72rem;color:var(--soft)}dl.about dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;font-size:.82rem;font-variant-numeric:tabular-nums}
thead{display:table-header-group}
th{text-align:left;vertical-align:bottom;border-bottom:1.5px solid var(--ink);padding:.35rem .6rem}
td{vertical-align:top;border-bottom:1px solid var(--line);padding:.35rem .6rem}
td.n,th.n{text-align:right;white-space:nowrap}
tr{break-inside:avoid}
footer{margin-top:2rem;color:var(--soft);font-size:.78rem}
@page{size:A4;margin:14mm 12mm}
@media print{html{font-size:10.5px;background:none}body{max-width:none;padding:0;min-height:0}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}";

/// Begins a page.
pub fn start(out: &mut impl Write, title: &str, style: &str) -> io::Result<()> {
    let title = super::html::escaped(title);
    writeln!(
        out,
        "<!doctype html>\n<html lang=sv>\n<head>\n<meta charset=utf-8>\n<meta name=viewport content=\"width=device-width,initial-scale=1\">\n\
         <meta http-equiv=Content-Security-Policy content=\"default-src 'none';style-src 'unsafe-inline'\">\n\
         <meta name=robots content=noindex>\n<title>{title}</title>\n<style>{STYLE}{style}</style>\n</head>\n<body>"
    )
}

/// Ends it.
pub fn end(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "</body>\n</html>")
}
