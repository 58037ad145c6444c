"""Makes, of rows.xls, workbooks with ciphers that no program at hand writes, and checks each with msoffcrypto."""
import hashlib, io, os, struct, subprocess, sys, shutil, olefile
from msoffcrypto.method import xor_obfuscation
PW = "VelvetSweatshop"
def rc4(key, data):
    s = list(range(256)); j = 0
    for i in range(256):
        j = (j + s[i] + key[i % len(key)]) % 256; s[i], s[j] = s[j], s[i]
    out = bytearray(); i = j = 0
    for b in data:
        i = (i + 1) % 256; j = (j + s[i]) % 256; s[i], s[j] = s[j], s[i]
        out.append(b ^ s[(s[i] + s[j]) % 256])
    return bytes(out)
def records(stream):
    at = 0
    while at + 4 <= len(stream):
        k, n = struct.unpack_from("<HH", stream, at)
        if k == 0 and n == 0: break
        yield k, at + 4, n
        at += 4 + n
CLEAR = {0x809, 0x2F, 0xE1, 0x194, 0x195, 0x196, 0x138}
def with_pass(stream, content):
    out = bytearray(stream)
    for k, at, n in records(stream):
        if k == 0x5C:
            assert n >= len(content) + 4, (n, len(content))
            left = n - len(content) - 4
            new = struct.pack("<HH", 0x2F, len(content)) + content + struct.pack("<HH", 0x3333, left) + b"\0" * left
            assert len(new) == n + 4
            out[at - 4:at + n] = new
            return bytes(out)
    raise SystemExit("no WRITEACCESS")
def apply(stream, change):
    out = bytearray(stream)
    for k, at, n in records(stream):
        if k in CLEAR: continue
        new = change(at, n, stream[at:at + n])
        keep = 4 if k == 0x85 else 0
        out[at + keep:at + n] = new[keep:]
    return bytes(out)
def save(name, stream):
    shutil.copy("rows.xls", name)
    ole = olefile.OleFileIO(name, write_mode=True); ole.write_stream("Workbook", stream); ole.close()
stream = olefile.OleFileIO("rows.xls").openstream("Workbook").read()
# CryptoAPI, RC4 of 128 bits
salt, secret = bytes(range(16)), bytes(range(16, 32))
h0 = hashlib.sha1(salt + PW.encode("utf-16le")).digest()
key = lambda b: hashlib.sha1(h0 + struct.pack("<I", b)).digest()[:16]
ver = rc4(key(0), secret + hashlib.sha1(secret).digest())
header = struct.pack("<IIIIIIII", 4, 0, 0x6801, 0x8004, 128, 1, 0, 0) + b"\0\0"
info = struct.pack("<HH", 2, 2) + struct.pack("<I", 4) + struct.pack("<I", len(header)) + header
info += struct.pack("<I", 16) + salt + ver[:16] + struct.pack("<I", 20) + ver[16:]
s = with_pass(stream, struct.pack("<H", 1) + info)
keys = b"".join(rc4(key(b), b"\0" * 1024) for b in range(len(s) // 1024 + 1))
save("default-cryptoapi.xls", apply(s, lambda at, n, d: bytes(x ^ y for x, y in zip(d, keys[at:at + n]))))
# XOR
x = xor_obfuscation.DocumentXOR
arr = x.create_xor_array_method1(PW)
pwkey = x.create_xor_key_method1(PW)
def hashv(p):
    h = 0
    for i, c in enumerate(p):
        r = (i + 1) % 15; v = ord(c) << r
        h ^= (v & 0x7FFF) | (v >> 15)
    return h ^ len(p) ^ 0xCE4B
s = with_pass(stream, struct.pack("<HHH", 0, pwkey, hashv(PW)))
rotr = lambda b, n: ((b >> n) | (b << (8 - n))) & 0xFF
rotl = lambda b, n: ((b << n) | (b >> (8 - n))) & 0xFF
def xorred(at, n, d):
    i = (at + n) % 16; out = bytearray()
    for b in d:
        out.append(rotl(b, 5) ^ arr[i % 16]); i += 1
    return bytes(out)
save("default-xor.xls", apply(s, xorred))
# OOXML, standard encryption
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
h = hashlib.sha1(salt + PW.encode("utf-16le")).digest()
for i in range(50000): h = hashlib.sha1(struct.pack("<I", i) + h).digest()
h = hashlib.sha1(h + b"\0" * 4).digest()
x1 = hashlib.sha1(bytes(a ^ b for a, b in zip(h.ljust(64, b"\0"), b"\x36" * 64))).digest()
x2 = hashlib.sha1(bytes(a ^ b for a, b in zip(h.ljust(64, b"\0"), b"\x5c" * 64))).digest()
k = (x1 + x2)[:16]
enc = lambda d: (lambda c: c.update(d) + c.finalize())(Cipher(algorithms.AES(k), modes.ECB()).encryptor())
header = struct.pack("<IIIIIIII", 0x24, 0, 0x660E, 0x8004, 128, 0x18, 0, 0) + "Microsoft Enhanced RSA and AES Cryptographic Provider\0".encode("utf-16le")
info = struct.pack("<HH", 3, 2) + struct.pack("<I", 0x24) + struct.pack("<I", len(header)) + header
info += struct.pack("<I", 16) + salt + enc(secret) + struct.pack("<I", 20) + enc(hashlib.sha1(secret).digest().ljust(32, b"\0"))
shutil.copy("default.xlsx", "default-standard.xlsx")
ole = olefile.OleFileIO("default-standard.xlsx", write_mode=True)
plain = open("rows.xlsx", "rb").read()
size = ole.get_size("EncryptionInfo"); ole.write_stream("EncryptionInfo", info.ljust(size, b"\0"))
size = ole.get_size("EncryptedPackage"); pk = struct.pack("<Q", len(plain)) + enc(plain.ljust((len(plain) + 15) // 16 * 16, b"\0"))
ole.write_stream("EncryptedPackage", pk.ljust(size, b"\0")[:size] if len(pk) <= size else sys.exit(f"{len(pk)} {size}")); ole.close()
for f in ["default-cryptoapi.xls", "default-xor.xls", "default-standard.xlsx", "default.xls"]:
    import msoffcrypto
    d = msoffcrypto.OfficeFile(open(f, "rb")); d.load_key(password=PW); o = io.BytesIO(); d.decrypt(o)
    v = o.getvalue()
    print(f, len(v), b"811228-9874" in v, v == plain)
# PowerPoint: CryptoAPI, RC4 of 128 bits, with the password that PowerPoint tries
import gzip
PP = "/01Hannes Ruescher/01"
h0 = hashlib.sha1(salt + PP.encode("utf-16le")).digest()
key = lambda b: hashlib.sha1(h0 + struct.pack("<I", b)).digest()[:16]
ver = rc4(key(0), secret + hashlib.sha1(secret).digest())
rec = lambda v, t, c: struct.pack("<HHI", v, t, len(c)) + c
name = "Microsoft Enhanced Cryptographic Provider v1.0\0".encode("utf-16le")
header = struct.pack("<IIIIIIII", 4, 0, 0x6801, 0x8004, 128, 1, 0, 0) + name
info = struct.pack("<HH", 2, 2) + struct.pack("<II", 4, len(header)) + header
info += struct.pack("<I", 16) + salt + ver[:16] + struct.pack("<I", 20) + ver[16:]
text = rec(0xF, 1000, rec(0xF, 1006, rec(0, 0x0FA0, "Bild 811228-9874".encode("utf-16le")) + rec(0, 0x0FA8, b"l\xe4karintyg")))
with gzip.open("slides.ppt.gz") as f: open("default.ppt", "wb").write(f.read())
ole = olefile.OleFileIO("default.ppt", write_mode=True)
size = ole.get_size("PowerPoint Document")
out = bytearray()
places = {}
def persist(i, content, encrypted=True):
    places[i] = len(out); out.extend(rc4(key(i), content) if encrypted else content)
persist(1, text); persist(2, text); persist(3, rec(0xF, 0x2F14, info), False)
directory = len(out); out += rec(0, 0x1772, struct.pack("<I", 1 | 3 << 20) + b"".join(struct.pack("<I", places[i]) for i in (1, 2, 3)))
edit = len(out); out += rec(0, 0x0FF5, struct.pack("<IHBBIIIIHHI", 256, 0, 0, 3, 0, directory, 1, 4, 1, 0, 3))
rest = size - len(out) - 8; out += rec(0, 0x3333, b"\0" * rest)
assert len(out) == size
ole.write_stream("PowerPoint Document", bytes(out))
user = bytearray(ole.openstream("Current User").read()); struct.pack_into("<II", user, 12, 0xF3D1C4DF, edit); ole.write_stream("Current User", bytes(user)); ole.close()
d = msoffcrypto.OfficeFile(open("default.ppt", "rb")); d.load_key(password=PP); o = io.BytesIO(); d.decrypt(o)
print("default.ppt", "Bild 811228-9874".encode("utf-16le") in o.getvalue())
open("default.ppt.gz", "wb").write(gzip.compress(open("default.ppt", "rb").read(), 9, mtime=0)); os.remove("default.ppt")
