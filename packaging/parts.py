"""What the program is made of: the licences of all its crates for Debian's copyright file, a list of parts in CycloneDX 1.5,
and the list that cargo-auditable puts into a program, which scanners read there. Asks cargo; reads Cargo.lock and the
sources that cargo has. Says the same of the same lock file always."""

import argparse
import collections
import hashlib
import json
import pathlib
import re
import subprocess
import tomllib
import uuid
import zlib

TARGET = "x86_64-unknown-linux-gnu"
# Licence texts of Debian's base-files, which a copyright file names instead of repeating them.
COMMON = [
    (re.compile(r"Apache License\s+Version 2\.0", re.I), re.compile("TERMS AND CONDITIONS"), "Apache-2.0"),
    (re.compile(r"Mozilla Public License Version 2\.0", re.I), re.compile("Definitions"), "MPL-2.0"),
    (re.compile(r"GNU GENERAL PUBLIC LICENSE\s+Version 3", re.I), re.compile("TERMS AND CONDITIONS"), "GPL-3"),
]
TEXT = re.compile(r"^(licen[cs]e|copying|copyright|notice|unlicense)", re.I)


def tree(edges):
    """The crates that cargo builds for these edges: `metadata` has those of features too that only other targets want."""
    command = ["cargo", "tree", "--locked", "--prefix", "none", "--format", "{p}", "--target", TARGET, "--edges", edges]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return {(line.split(" ")[0], line.split(" ")[1].removeprefix("v")) for line in lines if line}


def crates():
    """The crates that are in the program, or made it, in order of their names; and who uses which."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET]
    metadata = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = next(id for id, package in packages.items() if package["name"] == "postvakt")
    built, linked = tree("normal,build"), tree("normal,no-proc-macro")
    known = lambda id, those: (packages[id]["name"], packages[id]["version"]) in those
    uses, open_ = {}, [root]
    while open_:
        id = open_.pop()
        if id in uses:
            continue
        uses[id] = sorted(
            dep["pkg"]
            for dep in nodes[id]["deps"]
            if any(kind["kind"] != "dev" for kind in dep["dep_kinds"]) and known(dep["pkg"], built)
        )
        open_ += uses[id]
    lock = tomllib.loads(pathlib.Path("Cargo.lock").read_text())
    sums = {(p["name"], p["version"]): p.get("checksum") for p in lock["package"]}
    order = sorted(uses, key=lambda id: (packages[id]["name"], packages[id]["version"]))
    for id in order:
        package = packages[id]
        package["checksum"] = sums.get((package["name"], package["version"]))
        # What runs is what the program is linked with; macros and build scripts ran when it was built.
        package["runs"] = known(id, linked)
    return root, order, packages, uses


def texts(package):
    """The licence texts beside a crate's source."""
    folder = pathlib.Path(package["manifest_path"]).parent
    files = [f for f in folder.iterdir() if f.is_file() and TEXT.match(f.name) and f.suffix not in (".rs", ".toml")]
    files += [f for d in ("LICENSES", "licenses") if (folder / d).is_dir() for f in (folder / d).iterdir()]
    return [f.read_text(encoding="utf-8", errors="replace").strip() for f in sorted(files) if f.is_file()]


def expression(package):
    """Its licence as SPDX has it; old manifests write a slash for OR."""
    return (package["license"] or "see its licence file").replace("/", " OR ").replace("  ", " ")


def c_libraries(packages, order):
    """What is compiled in from C, with its version and licence: the crates around it have other numbers."""
    found = []
    for id in order:
        package = packages[id]
        folder = pathlib.Path(package["manifest_path"]).parent
        if package["name"] == "libsqlite3-sys":
            header = (folder / "sqlite3/sqlite3.h").read_text()
            version = re.search(r'#define SQLITE_VERSION\s+"([^"]+)"', header)[1]
            found.append({"name": "sqlite", "version": version, "licence": "blessing", "of": id})
        if package["name"] == "libmimalloc-sys":
            for header in folder.glob("c_src/mimalloc*/**/include/mimalloc.h"):
                number = int(re.search(r"#define MI_MALLOC_VERSION\s+(\d+)", header.read_text())[1])
                width = 10 if number < 1000 else 100
                parts = (number // width // width, number // width % width, number % width)
                found.append({"name": "mimalloc", "version": "%d.%d.%d" % parts, "licence": "MIT", "of": id})
                break
    return found


def copyright_file(root, order, packages, libraries):
    """Debian's copyright file: the program's own licence, then each part with its own, and every text once."""
    own = packages[root]
    out = [
        f"Postvakt {own['version']} is licensed under the European Union Public Licence, version 1.2 (EUPL-1.2):",
        "",
        pathlib.Path("LICENSE").read_text().strip(),
        "",
        "Postvakt contains the following crates from https://crates.io and C libraries, each under its own licence.",
        "Licences in /usr/share/common-licenses are named, and all other texts follow the list.",
        "",
    ]
    by_text = collections.OrderedDict()
    for id in order:
        if id == root:
            continue
        package = packages[id]
        name = f"{package['name']} {package['version']}"
        out.append(f"  {name}: {expression(package)}")
        authors = [a for a in package["authors"] if a]
        if authors:
            out.append(f"    Authors: {', '.join(authors)}")
        for text in texts(package):
            common = next((n for head, body, n in COMMON if head.search(text) and body.search(text)), None)
            by_text.setdefault(f"/usr/share/common-licenses/{common}" if common else text, []).append(name)
    for library in libraries:
        out.append(f"  {library['name']} {library['version']}: {library['licence']}")
    for text, names in by_text.items():
        out += ["", "-" * 100, "", *wrapped(f"Licence of {', '.join(names)}:"), "", text]
    return "\n".join(line.rstrip() for line in "\n".join(out).splitlines()) + "\n"


def wrapped(text):
    """Lines of at most 118 characters."""
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > 118:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]


def bill(root, order, packages, uses, libraries):
    """The list of parts. Its number is made of the lock file."""
    ref = lambda id: f"pkg:cargo/{packages[id]['name']}@{packages[id]['version']}"
    c_ref = lambda library: f"pkg:generic/{library['name']}@{library['version']}"

    def component(id):
        package = packages[id]
        entry = {
            "type": "application" if id == root else "library",
            "bom-ref": ref(id),
            "name": package["name"],
            "version": package["version"],
            "purl": ref(id),
        }
        if package["license"]:
            entry["licenses"] = [{"expression": expression(package)}]
        if package["checksum"]:
            entry["hashes"] = [{"alg": "SHA-256", "content": package["checksum"]}]
        if package["repository"]:
            entry["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
        return entry

    components = [component(id) for id in order if id != root]
    dependencies = []
    for id in order:
        used = [ref(used) for used in uses[id]] + [c_ref(l) for l in libraries if l["of"] == id]
        dependencies.append({"ref": ref(id), "dependsOn": sorted(used)})
    for library in libraries:
        components.append({
            "type": "library", "bom-ref": c_ref(library), "name": library["name"], "version": library["version"],
            "purl": c_ref(library), "licenses": [{"license": {"id": library["licence"]}}],
        })
    digest = hashlib.sha256(pathlib.Path("Cargo.lock").read_bytes()).hexdigest()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, digest)}",
        "version": 1,
        "metadata": {"component": component(root)},
        "components": components,
        "dependencies": dependencies,
    }


def audit(root, order, packages, uses):
    """The list in the form of cargo-auditable: JSON, compressed, for a section `.dep-v0` of the program."""
    place = {id: at for at, id in enumerate(order)}

    def entry(id):
        package = packages[id]
        made = {
            "name": package["name"],
            "version": package["version"],
            "source": "local" if package["source"] is None else "crates.io",
            "kind": "runtime" if package["runs"] else "build",
            "dependencies": sorted(place[used] for used in uses[id]),
        }
        return made | ({"root": True} if id == root else {})

    made = {"packages": [entry(id) for id in order]}
    return zlib.compress(json.dumps(made, separators=(",", ":")).encode(), 9)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copyright", required=True, type=pathlib.Path)
    parser.add_argument("--bom", required=True, type=pathlib.Path)
    parser.add_argument("--audit", required=True, type=pathlib.Path)
    options = parser.parse_args()
    root, order, packages, uses = crates()
    libraries = c_libraries(packages, order)
    options.copyright.write_text(copyright_file(root, order, packages, libraries))
    options.audit.write_bytes(audit(root, order, packages, uses))
    made = bill(root, order, packages, uses, libraries)
    options.bom.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
