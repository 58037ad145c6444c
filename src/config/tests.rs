//! Tests of the config: broken files and exactly what is said about them.

use super::*;

pub(super) const VALID: &str = "\
[organisation]
name = \"Exempelby kommun\"
domains = [\"exempelby.se\"]

[server]
listen = [\"unix:/run/postvakt/milter.sock\"]

[store]
directory = \"/var/lib/postvakt\"
";

pub(super) fn parse(text: &str) -> Result<Config, Problems> {
    let now = "2026-06-01T10:00:00Z".parse().unwrap();
    Config::parse(text.as_bytes(), &Surroundings { file: "F", host: "gw1.exempelby.se", now })
}

#[test]
fn a_small_config_is_enough() {
    let config = parse(VALID).unwrap();
    assert_eq!(config.server.node, "gw1");
    assert_eq!(config.time_zone.iana_name(), Some("Europe/Stockholm"));
    assert_eq!(config.hash.len(), 16);
    assert!(config.warnings.is_empty() && config.rules.is_empty() && config.smtp.is_none());
}

#[test]
fn show() {
    for text in [
        "[organisation]\nname = 3\ndomians = [\"a b\", \"ok.se\"]\nåäö = 1\n[server]\nlisten=[\"tcp:127.0.0.1:8891\", \"inet:8891@localhost\", {address=\"unix:x\", direction=\"utgående\"}]\nnode=\"a_b\"\nmetrics=\"localhost:x\"\n[stor]\n[rules.spam]\n[rules.auto-forward]\nmode=\"enforced\"\n[[rules.auto-forward.exceptions]]\nmailbox=\"anna@exempelby.se\"\n[rules.custom.x]\nwhen={subject='(?i', size_above=3, attachment_nam='x'}\nmode=\"observe\"\n",
    ] {
        println!("{}", parse(text).unwrap_err());
    }
}
