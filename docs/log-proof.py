#!/usr/bin/env python3
"""Proves a log and its access log anew: python3 docs/log-proof.py DIRECTORY [FILE-OF-HEADS]…

Computes each leaf from the stored values, the trees from the leaves, and compares their roots with every tree head. What
retention deleted has its leaf left; the run must be in the access log, with the digest of the deleted numbers. The
signatures of the heads are checked by `postvakt log verify`, or by any program for C2SP signed notes.
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

def records(db, path):
    rows = {seq: hash for seq, hash in db.execute("select seq, leaf from pruned")}
    for row in db.execute("select * from record"):
        found = [list(one) for one in db.execute(f"select {FINDING} from finding where seq = ? order by number", (row["seq"],))]
        form = row["form"] if "form" in row.keys() else 1
        found = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
        values = [*(row[name] for name in FIRST), found, *(row[name] for since, name in LATER if since <= form)]
        rows[row["seq"]] = leaf(form, row["seq"], row["salt"], values)
        if rows[row["seq"]] != row["leaf"]:
            say(f"{path.name}: record {row['seq']} is not what was stored")
    return sorted(rows.items())

store, wrong, trees, runs = pathlib.Path(sys.argv[1]), [], {}, {}
access = open_file(store / "access.db")
epochs = list(access.execute("select number, after from epoch order by number"))
for at, (number, after) in enumerate(epochs):
    tree = trees.setdefault(f"access/{number}", Tree())
    end = epochs[at + 1][1] if at + 1 < len(epochs) else 1 << 62
    for row in access.execute("select * from entry where n > ? and n <= ? order by n", (after, end)):
        tree.push(leaf(1, row["n"], row["salt"], [row["time"], row["kind"], row["body"]]))
        if row["kind"] == "retention":
            runs[row["n"]] = json.loads(row["body"])
for path in sorted(store.glob("log-*.db")):
    db = open_file(path)
    tree = trees.setdefault(db.execute("select value from meta where key = 'epoch'").fetchone()[0], Tree())
    for seq, hash in records(db, path):
        if seq != tree.size + 1:
            say(f"{path.name}: the records from {tree.size + 1} to {seq - 1} are missing")
        tree.push(hash)
    for run in [run for run, in db.execute("select distinct run from pruned")]:
        numbers = [seq for seq, in db.execute("select seq from pruned where run = ? order by seq", (run,))]
        digest = hashlib.sha256(b"".join(seq.to_bytes(8, "big") for seq in numbers)).hexdigest()
        if digest not in [month["digest"] for month in runs.get(run, {}).get("files", [])]:
            say(f"{path.name}: the access log does not tell of {len(numbers)} deleted records from {numbers[0]} on")
covered, heads, lost = {}, [], 0
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
for name, tree in sorted(trees.items()):
    print(f"{name}: {tree.size} leaves, {covered.get(name, 0)} covered by a head")
print("The log went on in a new epoch: records of the one before are lost." if lost else "")
sys.exit(1 if wrong else lost)
