//! `postvakt init`: writes the first config, and makes the directories that it needs.
//!
//! The file is `config/postvakt.toml` with the organisation's own name, domains and networks in it: every rule only logs.
//! Nothing is written before the new config has been read as any other is.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, BufRead as _, ErrorKind, IsTerminal as _, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use jiff::Timestamp;

use super::{CONFIG, USAGE, YES};
use crate::config::{Config, NoFiles, ParseContext};

/// The config that is written, with the name, domains and networks of an example.
const STARTER: &str = include_str!("../../config/postvakt.toml");

/// Networks that are always inside: this host.
const THIS_HOST: [&str; 2] = ["127.0.0.0/8", "::1/128"];

/// `init`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Mail domain of the organisation; several are allowed. Asked for on a terminal.
    #[arg(long = "domain", value_name = "D")]
    domains: Vec<String>,
    /// Network of the organisation's own mail servers and devices beside this host, such as 10.0.0.0/8; several are
    /// allowed.
    #[arg(long = "network", value_name = "N")]
    networks: Vec<String>,
    /// Name of the organisation. Default: its first domain.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Config file to write.
    #[arg(long, value_name = "F", default_value = super::CONFIG_FILE)]
    config: PathBuf,
    /// Directory of the log.
    #[arg(long, value_name = "D", default_value = "/var/lib/postvakt")]
    store: PathBuf,
    /// User that runs the server. It owns the log and may read the config.
    #[arg(long, value_name = "U", default_value = "postvakt")]
    user: String,
}

/// What the config says of the organisation.
struct Answers {
    name: String,
    domains: Vec<String>,
    networks: Vec<String>,
}

/// The numbers of a user and its group.
#[derive(Clone, Copy)]
struct Owner {
    user: u32,
    group: u32,
}

/// Runs the command: 0 the config is written, 2 it cannot be, 78 an answer is wrong.
pub fn run(args: &Args) -> anyhow::Result<u8> {
    if args.config.symlink_metadata().is_ok() {
        eprintln!("postvakt: {}: exists already; edit it, or move it away first", args.config.display());
        return Ok(USAGE);
    }
    let Some(answers) = answers(args)? else {
        eprintln!("postvakt: the organisation's mail domain is missing; write --domain exempelby.se");
        return Ok(USAGE);
    };
    let text = starter(&answers, &args.store);
    if !is_right(&text) {
        return Ok(CONFIG);
    }
    let owner = owner(&args.user)?;
    let directory = args.config.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(directory) = directory {
        make_directory(directory, 0o750, owner.map(|owner| Owner { user: 0, ..owner }))?;
    }
    make_directory(&args.store, 0o700, owner)?;
    write(&args.config, &text, owner).with_context(|| args.config.display().to_string())?;
    tell(args, &mut io::stdout().lock())?;
    Ok(YES)
}

/// What the arguments say; what they leave out is asked for on a terminal. `None` where nobody can be asked.
fn answers(args: &Args) -> anyhow::Result<Option<Answers>> {
    let (mut name, mut domains, mut networks) =
        (args.name.clone(), args.domains.clone(), args.networks.clone());
    if domains.is_empty() {
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        if name.is_none() {
            name = Some(ask("Name of the organisation")?).filter(|name| !name.is_empty());
        }
        while domains.is_empty() {
            domains = words(&ask("Its mail domains, such as exempelby.se")?);
        }
        if networks.is_empty() {
            networks =
                words(&ask("Networks of its mail servers beside this host, such as 10.0.0.0/8, or none")?);
        }
    }
    let name = name.unwrap_or_else(|| domains.first().cloned().unwrap_or_default());
    Ok(Some(Answers { name, domains, networks }))
}

/// One line from the terminal.
fn ask(question: &str) -> anyhow::Result<String> {
    eprint!("{question}: ");
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line)? == 0 {
        bail!("no answer, so nothing was written");
    }
    Ok(line.trim().to_owned())
}

fn words(answer: &str) -> Vec<String> {
    answer.split([',', ' ']).filter(|word| !word.is_empty() && *word != "none").map(str::to_owned).collect()
}

/// The starter with these values in the place of the example's.
fn starter(answers: &Answers, store: &Path) -> String {
    let networks: Vec<&str> =
        THIS_HOST.into_iter().chain(answers.networks.iter().map(String::as_str)).collect();
    let list = |items: &[&str]| {
        let quoted: Vec<String> = items.iter().map(|item| quoted(item)).collect();
        format!("[{}]", quoted.join(", "))
    };
    let domains: Vec<&str> = answers.domains.iter().map(String::as_str).collect();
    let own = [
        ("name", quoted(&answers.name)),
        ("domains", list(&domains)),
        ("internal_networks", list(&networks)),
        ("directory", quoted(&store.to_string_lossy())),
    ];
    let line = |line: &str| {
        let key = line.split(" = ").next().unwrap_or_default();
        match own.iter().find(|(name, _)| *name == key) {
            Some((name, value)) => format!("{name} = {value}\n"),
            None => format!("{line}\n"),
        }
    };
    STARTER.lines().map(line).collect()
}

/// Text in TOML's quotes; every escape of JSON is one of TOML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether the text is a valid config; every problem is told of where it is not. What stands in it was given on the
/// command line, so that a line number would name nothing.
fn is_right(text: &str) -> bool {
    let around = ParseContext { file: "", host: "node", now: Timestamp::now(), files: &NoFiles };
    let problems = match Config::parse(text.as_bytes(), &around) {
        Ok(config) => {
            for warning in config.warnings {
                eprintln!("warning: {}: {}; {}", warning.key, warning.problem, warning.suggestion);
            }
            return true;
        }
        Err(problems) => problems.0,
    };
    for problem in problems {
        eprintln!("postvakt: {}: {}; {}", problem.key, problem.problem, problem.suggestion);
    }
    false
}

/// Who will run the server. `None` for anybody but root, whose files are their own.
fn owner(user: &str) -> anyhow::Result<Option<Owner>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let listed = Command::new("getent").args(["passwd", "--", user]).output().context("getent")?;
    let line = String::from_utf8_lossy(&listed.stdout).into_owned();
    let mut numbers = line.split(':').skip(2).map_while(|field| field.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(user), Some(group)) => Ok(Some(Owner { user, group })),
        _ => bail!(
            "there is no user {user}; add it: useradd --system --home-dir /var/lib/postvakt --shell \
             /usr/sbin/nologin {user}"
        ),
    }
}

/// Makes a directory with those above it. One that is there already and belongs to somebody else stays as it is.
fn make_directory(path: &Path, mode: u32, owner: Option<Owner>) -> anyhow::Result<()> {
    let shown = || path.display().to_string();
    if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
        fs::create_dir_all(above).with_context(shown)?;
    }
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
        Err(error) => return Err(error).with_context(shown),
    }
    let Some(owner) = owner else { return Ok(()) };
    let found = fs::metadata(path).with_context(shown)?;
    let (user, group) =
        (std::os::unix::fs::MetadataExt::uid(&found), std::os::unix::fs::MetadataExt::gid(&found));
    if user != 0 || group != 0 {
        return Ok(());
    }
    chown(path, Some(owner.user), Some(owner.group)).with_context(shown)?;
    fs::set_permissions(path, Permissions::from_mode(mode)).with_context(shown)
}

/// Writes the file: root's, and readable for the server.
fn write(path: &Path, text: &str, owner: Option<Owner>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(path)?;
    if let Some(owner) = owner {
        std::os::unix::fs::fchown(&file, Some(0), Some(owner.group))?;
    }
    // Whatever the umask is.
    file.set_permissions(Permissions::from_mode(0o640))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Says what is there now, and what comes next.
fn tell(args: &Args, out: &mut dyn Write) -> io::Result<()> {
    let shown = args.config.display();
    writeln!(out, "{shown}: written; every rule only logs")?;
    writeln!(out, "{}: directory of the log\n\nNext:", args.store.display())?;
    let option = if args.config.as_os_str() == super::CONFIG_FILE {
        String::new()
    } else {
        format!(" --config {shown}")
    };
    if option.is_empty() && Path::new("/run/systemd/system").is_dir() {
        writeln!(out, "  systemctl enable --now postvakt.socket postvakt.service")?;
    } else {
        writeln!(out, "  postvakt serve{option} &")?;
    }
    writeln!(out, "  postvakt postfix-setup{option} --apply")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_starter_has_the_answers_and_nothing_else_is_changed() {
        let answers = Answers {
            name: "Exempelby kommun".to_owned(),
            domains: vec!["exempelby.se".to_owned()],
            networks: Vec::new(),
        };
        assert_eq!(starter(&answers, Path::new("/var/lib/postvakt")), STARTER);
        let answers = Answers {
            name: "Storby \"nya\" \\ kommun".to_owned(),
            domains: vec!["storby.example".to_owned(), "*.storby.example".to_owned()],
            networks: vec!["10.0.0.0/8".to_owned()],
        };
        let text = starter(&answers, Path::new("/srv/log"));
        for line in [
            r#"name = "Storby \"nya\" \\ kommun""#,
            r#"domains = ["storby.example", "*.storby.example"]"#,
            r#"internal_networks = ["127.0.0.0/8", "::1/128", "10.0.0.0/8"]"#,
            r#"directory = "/srv/log""#,
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
        assert!(is_right(&text) && !text.contains("xempelby"));
    }

    #[test]
    fn answers_on_one_line() {
        assert_eq!(words("a.example, b.example c.example"), ["a.example", "b.example", "c.example"]);
        assert!(words(" , none").is_empty());
    }
}
