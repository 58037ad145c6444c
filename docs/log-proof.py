#!/usr/bin/env python3
"""Proves a log and its access log anew: python3 docs/log-proof.py DIRECTORY [FILE-OF-HEADS]…

Computes each leaf from the stored values, the trees from the leaves, and compares their roots with every tree head. What was
deleted left its leaf, and a run tells of it. `postvakt log verify` also checks signatures, and the age of what was deleted.
"""
import base64, hashlib, json, pathlib, re, sqlite3, sys

FIRST = """time direction sender recipients header_from subject size attachments verdict findings would queue_id message_id
client helo auth_user tls config receipt""".split()
LATER = [(2, "authentication"), *((3, f"header_{name}") for name in ("from_name", "to", "cc", "reply_to"))]  # by leaf form
FINDING = "rule, grade, evidence, mode, verdict, decision, mailboxes, recipients"
sha = lambda *parts: hashlib.sha256(b"".join(parts)).digest()
def leaf(form, number, salt, values):
    commitments = sha(*(sha(sha(salt, bytes([at])), str(value).encode()) for at, value in enumerate(values)))
    return sha(bytes([0, form]), number.to_bytes(8, "big"), commitments)
def open_file(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    return db
class Tree:
    """A tree of RFC 6962, section 2.1: the roots of its full parts, the largest first, and the root at each size."""
    def __init__(self):
        self.size, self.parts, self.roots = 0, [], {0: sha()}
    def push(self, hash):
        self.size += 1
        self.parts.append(hash)
        for _ in range((self.size & -self.size).bit_length() - 1):
            right, left = self.parts.pop(), self.parts.pop()
            self.parts.append(sha(b"\x01", left, right))
        root = self.parts[-1]
        for part in reversed(self.parts[:-1]):
            root = sha(b"\x01", part, root)
        self.roots[self.size] = root
def say(what):
    wrong.append(what)
    print("WRONG:", what)
def deleted(db, path, number):  # numbers and leaves; a run must tell of them
    if not db.execute("select 1 from sqlite_schema where name = 'pruned'").fetchone():
        return {}  # an access log of an earlier version
    for run in [run for run, in db.execute("select distinct run from pruned")]:
        numbers = [n for n, in db.execute(f"select {number} from pruned where run = ? order by 1", (run,))]
        if hashlib.sha256(b"".join(n.to_bytes(8, "big") for n in numbers)).hexdigest() != runs.get((run, path.name)):
            say(f"{path.name}: the access log does not tell of {len(numbers)} deleted entries from {numbers[0]} on")
    return dict(db.execute(f"select {number}, leaf from pruned"))
def records(db, path):
    rows = deleted(db, path, "seq")
    for row in db.execute("select * from record"):
        found = db.execute(f"select {FINDING} from finding where seq = ? order by number", (row["seq"],))
        form = row["form"] if "form" in row.keys() else 1
        found = json.dumps([list(one) for one in found], ensure_ascii=False, separators=(",", ":"))
        values = [*(row[name] for name in FIRST), found, *(row[name] for since, name in LATER if since <= form)]
        rows[row["seq"]] = leaf(form, row["seq"], row["salt"], values)
        if rows[row["seq"]] != row["leaf"]:
            say(f"{path.name}: record {row['seq']} is not what was stored")
    return sorted(rows.items())
store, wrong, trees, runs, covered, heads, lost = pathlib.Path(sys.argv[1]), [], {}, {}, {}, [], 0
access = open_file(store / "access.db")
for n, body in access.execute("select n, body from entry where kind in ('retention', 'access-retention')"):
    run = json.loads(body)
    files = [(f"log-{one['month']}.db", one["digest"]) for one in run.get("files", [])]
    runs.update({(n, name): digest for name, digest in files or [("access.db", run.get("digest"))]})
gone = deleted(access, store / "access.db", "n")
for number, after, end in access.execute("select number, after, lead(after, 1, 1 << 62) over (order by number) from epoch"):
    tree = trees.setdefault(f"access/{number}", Tree())
    entries = {n: hash for n, hash in gone.items() if after < n <= end}
    for row in access.execute("select * from entry where n > ? and n <= ?", (after, end)):
        entries[row["n"]] = leaf(1, row["n"], row["salt"], [row["time"], row["kind"], row["body"]])
    list(map(tree.push, [hash for _, hash in sorted(entries.items())]))
for path in sorted(store.glob("log-*.db")):
    db = open_file(path)
    tree = trees.setdefault(db.execute("select value from meta where key = 'epoch'").fetchone()[0], Tree())
    for seq, hash in records(db, path):
        if seq != tree.size + 1:
            say(f"{path.name}: the records from {tree.size + 1} to {seq - 1} are missing")
        tree.push(hash)
for path in [store / "heads", *map(pathlib.Path, sys.argv[2:])]:
    for name, size, root in re.findall(r"^postvakt/[^/\n]+/(\S+)\n(\d+)\n(\S{44})$", path.read_text(), re.M):
        heads.append(("access/1" if name == "access" else name, int(size), base64.b64decode(root)))
for name, size, root in heads:
    known, (kind, epoch) = trees.get(name, Tree()).roots.get(size), re.fullmatch(r"(\D*)(\d+)", name).groups()
    if known == root:
        covered[name] = max(size, covered.get(name, 0))
    elif known is None and f"{kind}{int(epoch) + 1}" in {*trees, *(head[0] for head in heads)}:
        lost = 2  # a restore: the log went on in a later epoch
    else:
        say(f"{name}: {'its records are not those' if known else 'there are fewer records than those'} of the head of {size}")
lines = [f"{name}: {tree.size} leaves, {covered.get(name, 0)} covered by a head" for name, tree in sorted(trees.items())]
print(*lines, "The log went on in a new epoch: records of the one before are lost." if lost else "", sep="\n")
sys.exit(1 if wrong else lost)
