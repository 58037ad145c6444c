#!/usr/bin/env python3
"""Recomputes the tree heads of an export: python3 docs/tree-head.py FILE.proof.jsonl

Prints for each tree the root that the exported records make, and whether it is that of the signed head.
What the signature is worth, `postvakt log verify-export` says, or any program for C2SP signed notes.
"""
import base64, hashlib, json, sys

def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()

def record_hash(row):
    commitments = []
    for number, field in enumerate(row["values"]):
        if isinstance(field, str):  # as it is stored, under the record's salt
            salt = sha(bytes.fromhex(row["salt"]), bytes([number]))
            commitments.append(sha(salt, field.encode()))
        elif "value" in field:  # as it is stored, under a salt of its own
            commitments.append(sha(bytes.fromhex(field["salt"]), field["value"].encode()))
        else:  # masked
            commitments.append(bytes.fromhex(field["commitment"]))
    return sha(*commitments)

def leaf(row):
    form = row.get("form", 1)  # which fields it covers
    return sha(bytes([0, form]), row["record"].to_bytes(8, "big"), record_hash(row))

def root(start, end, leaves, others):
    """The root of the leaves from start to end: RFC 6962, section 2.1."""
    inside = [at for at in leaves if start <= at < end]
    if not inside:
        return others.pop(0)
    if end - start == 1:
        return leaves[start]
    middle = start + (1 << (end - start - 1).bit_length() - 1)
    part = lambda a, b: root(a, b, {at: leaves[at] for at in inside if a <= at < b}, others)
    left = part(start, middle)
    return sha(b"\x01", left, part(middle, end))

leaves, good = {}, True
with open(sys.argv[1], encoding="utf-8") as lines:
    next(lines)  # what the file is
    for line in map(json.loads, lines):
        if "record" in line:
            leaves.setdefault(line["tree"], {})[line["record"] - 1] = leaf(line)
            continue
        origin, size, signed = line["head"].split("\n")[:3]
        covered = {at: hash for at, hash in leaves[origin].items() if at < int(size)}
        computed = root(0, int(size), covered, [bytes.fromhex(other) for other in line["others"]])
        same = computed == base64.b64decode(signed)
        good &= same
        print(origin, size, computed.hex(), "as signed" if same else "NOT AS SIGNED")
sys.exit(0 if good else 1)
