//! Archives: the names that `7z` lists and what it unpacks, of archives that several programs make in every way that
//! they know; of RAR, what `bsdtar` unpacks.

use std::process::Command;

use super::*;

fn shown(scratch: &Scratch, command: &str) -> String {
    let mut words = command.split(' ');
    let output =
        Command::new(words.next().unwrap()).args(words).current_dir(scratch.path("")).output().unwrap();
    assert!(output.status.success(), "{command}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_7z_lists_and_unpacks_is_read() {
    let scratch = Scratch::new();
    scratch.write("Bilagor/anteckning.txt", text(50));
    scratch.write("Bilagor/Åtgärder 2026/lista.csv", text(90).replace(' ', ";"));
    scratch.write("tom.txt", "");
    scratch.write("README", "En fil utan ändelse, som handlar om 811228-9874.\n");
    let all = "Bilagor tom.txt README";
    let mut made = Vec::new();
    for (number, method) in
        ["LZMA2", "LZMA", "Copy", "Deflate", "BZip2", "Delta -m1=LZMA2", "BCJ -m1=LZMA2"].iter().enumerate()
    {
        for solid in ["on", "off"] {
            let name = format!("{number}-{solid}.7z");
            scratch.run(&format!("7z a -bso0 -ms={solid} -m0={method} {name} {all}"));
            made.push(name);
        }
    }
    for (name, command) in [
        ("deflated.zip", "7z a -bso0 -tzip -mx=9"),
        ("stored.zip", "7z a -bso0 -tzip -mx=0"),
        ("unicode.zip", "7z a -bso0 -tzip -mcu=on"),
        ("info.zip", "zip -q -r"),
        ("streamed.zip", "zip -q -r -fd"),
        ("plain.tar", "tar -cf"),
        ("old.tar", "tar --format=oldgnu -cf"),
        ("posix.tar", "tar --format=posix -cf"),
    ] {
        scratch.run(&format!("{command} {name} {all}"));
        made.push(name.to_owned());
    }
    for name in made {
        let bytes = scratch.read(&name);
        let found = items(&name, &bytes);
        let listed = shown(&scratch, &format!("7z l -slt -ba {name}"));
        let names = listed.lines().filter_map(|line| line.strip_prefix("Path = "));
        let own = |item: &crate::documents::Item| item.name.replace('\\', "/");
        let ours: Vec<String> = found.iter().map(own).chain([found[0].text.clone()]).collect();
        for theirs in names {
            let folder = theirs == "Bilagor" || theirs == "Bilagor/Åtgärder 2026";
            assert!(
                folder || ours.iter().any(|own| own.contains(theirs)),
                "{name}: {theirs} is not in {ours:?}"
            );
        }
        // What is packed in a way that nothing here unpacks says so.
        if found.iter().any(|item| item.state.reason() == Some("format")) {
            assert!(name.starts_with("4-"), "{name}: {found:?}");
            continue;
        }
        assert_read(&name, &bytes, &shown(&scratch, &format!("7z x -so {name}")));
    }
}

#[test]
fn what_bsdtar_unpacks_of_rar_is_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents");
    for name in ["packed.rar", "solid.rar", "packed-4.rar"] {
        let scratch = Scratch::new();
        scratch.write(name, std::fs::read(format!("{folder}/{name}")).unwrap());
        for file in ["anteckning.txt", "mapp/rader.csv"] {
            assert_read(name, &scratch.read(name), &shown(&scratch, &format!("bsdtar -xOf {name} {file}")));
        }
    }
}
