//! What monitoring is given: alert rules that fire when they should, and a dashboard whose every metric exists.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The names of metrics in a text: ours, and those of the process.
fn metrics(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| !word.contains(|c: char| c.is_ascii_uppercase()))
        .filter(|word| word.starts_with("postvakt_") || word.starts_with("process_"))
        .collect()
}

/// Whether the program declares the metric. Each name stands in these files, as a literal.
fn exists(name: &str) -> bool {
    let declared = read("src/metrics.rs") + &read("src/metrics/console.rs");
    let name = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
    let own = name.strip_prefix("postvakt_").or_else(|| name.strip_prefix("process_")).unwrap_or(name);
    [own, name].iter().any(|name| declared.contains(&format!("\"{name}\"")))
}

#[test]
fn the_alerts_fire_when_they_should() {
    for arguments in [["check", "postvakt.rules.yml"], ["test", "postvakt.test.yml"]] {
        let [verb, file] = arguments;
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/prometheus");
        let output =
            Command::new("promtool").args([verb, "rules", file]).current_dir(directory).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let rules = read("config/prometheus/postvakt.rules.yml");
    let tested = read("config/prometheus/postvakt.test.yml");
    let names: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() > 10);
    // Those without a test of their own are a comparison alone.
    let untested: Vec<&&str> =
        names.iter().filter(|name| !tested.contains(&format!("alertname: {name}"))).collect();
    assert_eq!(untested, [&"PostvaktLogDisplaced", &"PostvaktHeadsFail"]);
}

#[test]
fn every_metric_of_the_alerts_the_dashboard_and_the_manual_exists() {
    let mut count = 0;
    for file in ["config/prometheus/postvakt.rules.yml", "config/grafana/postvakt.json", "docs/operating.md"]
    {
        let text = read(file);
        for name in metrics(&text).into_iter().filter(|name| !name.ends_with('_')) {
            assert!(exists(name), "{file}: {name}");
            count += 1;
        }
    }
    assert!(count > 60 && !exists("postvakt_mail_total"), "{count}");
}

#[test]
fn the_dashboard_can_be_imported_anywhere() {
    let dashboard: Value = serde_json::from_str(&read("config/grafana/postvakt.json")).unwrap();
    assert!(dashboard["id"].is_null() && dashboard["uid"] == "postvakt");
    let panels = dashboard["panels"].as_array().unwrap();
    let graphs: Vec<&Value> = panels.iter().filter(|panel| panel["type"] != "row").collect();
    assert!(graphs.len() > 12);
    for panel in graphs {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        assert!(!panel["description"].as_str().unwrap().is_empty());
        for target in panel["targets"].as_array().unwrap() {
            assert!(target["expr"].as_str().unwrap().contains("$instance"), "{target}");
        }
    }
}
