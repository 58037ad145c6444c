"""Makes PDF files whose attachments alone are encrypted, and S/MIME that is packed (RFC 3274): no program at hand writes
either. Each is opened again: the PDF files by pyHanko and (but for the attachment) qpdf, the CMS objects by asn1crypto
and OpenSSL.

    sealed.py DIRECTORY, with cryptography, pikepdf, pyhanko and asn1crypto of PyPI, and openssl
"""
import base64, hashlib, os, re, subprocess, sys, tempfile, zlib
import pikepdf
from asn1crypto import cms
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from pyhanko.pdf_utils.crypt import AuthStatus
from pyhanko.pdf_utils.reader import PdfFileReader

os.chdir(sys.argv[1])
NUMBER = "811228-9874"
PAGE = b"BT /F 12 Tf 50 700 Td (Se bilagan om 19121212-1212) Tj ET"
INSIDE = f"namn;nummer\nBo;{NUMBER}\n".encode()


# PDF (ISO 32000-2 7.6): the crypt filter of EFF for files, Identity for all else.
PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
ID = bytes(range(16))


def rc4(key, data):
    s, j = list(range(256)), 0
    for i in range(256):
        j = (j + s[i] + key[i % len(key)]) % 256
        s[i], s[j] = s[j], s[i]
    out, i, j = bytearray(), 0, 0
    for octet in data:
        i = (i + 1) % 256
        j = (j + s[i]) % 256
        s[i], s[j] = s[j], s[i]
        out.append(octet ^ s[(s[i] + s[j]) % 256])
    return bytes(out)


def cbc(key, iv, data):
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def sealed(key, data):
    pad = padding.PKCS7(128).padder()
    return bytes(16) + cbc(key, bytes(16), pad.update(data) + pad.finalize())


def hexadecimal(octets):
    return b"<" + octets.hex().encode() + b">"


def rounds(key, data):
    for round in range(20):
        data = rc4(bytes(octet ^ round for octet in key), data)
    return data


def aes128(user, owner):
    """Version 4, revision 4: the entries of the dictionary, and the key of an object."""
    pad = lambda password: (password.encode() + PADDING)[:32]
    fifty = lambda digest: fifty_more(hashlib.md5(digest).digest())

    def fifty_more(digest):
        for _ in range(50):
            digest = hashlib.md5(digest).digest()
        return digest

    permissions = (-4 & 0xFFFFFFFF).to_bytes(4, "little")
    o = rounds(fifty(pad(owner)), pad(user))
    key = fifty(pad(user) + o + permissions + ID)
    u = rounds(key, hashlib.md5(PADDING + ID).digest()) + bytes(16)
    entries = b"/V 4/R 4/Length 128/P -4/O" + hexadecimal(o) + b"/U" + hexadecimal(u)
    own = lambda number: hashlib.md5(key + number.to_bytes(3, "little") + bytes(2) + b"sAlT").digest()
    return entries, b"AESV2", 16, own


def aes256(user, owner):
    """Version 5, revision 6."""
    key = bytes(range(100, 132))

    def hardened(password, salt, more=b""):
        digest, number = hashlib.sha256(password + salt + more).digest(), 0
        while True:
            block = cbc(digest[:16], digest[16:32], (password + digest + more) * 64)
            digest = [hashlib.sha256, hashlib.sha384, hashlib.sha512][sum(block[:16]) % 3](block).digest()
            number += 1
            if number >= 64 and block[-1] <= number - 32:
                return digest[:32]

    def entry(password, salts, more=b""):
        proof = hardened(password, salts[:8], more) + salts
        return proof, cbc(hardened(password, salts[8:], more), bytes(16), key)

    u, ue = entry(user.encode(), bytes(range(16)))
    o, oe = entry(owner.encode(), bytes(range(16, 32)), u)
    perms = (-4 & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little") + b"Tadb" + b"seed"
    ecb = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    entries = b"/V 5/R 6/Length 256/P -4"
    for name, value in [("O", o), ("OE", oe), ("U", u), ("UE", ue), ("Perms", ecb.update(perms))]:
        entries += b"/" + name.encode() + hexadecimal(value)
    return entries, b"AESV3", 32, lambda number: key


def pdf(name, scheme, user, file_entries, eff=b"/EFF/StdCF"):
    entries, method, length, own = scheme(user, "hemligt")
    data = sealed(own(6), INSIDE)
    filters = b"/CF<</StdCF<</Type/CryptFilter/CFM/%s/AuthEvent/EFOpen/Length %d>>>>" % (method, length)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles<</Names[(lista.csv)7 0 R]>>>>>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 595 842]>>",
        b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d>>\nstream\n%s\nendstream" % (len(PAGE), PAGE),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        b"<<%s/Length %d>>\nstream\n%s\nendstream" % (file_entries, len(data), data),
        b"<</Type/Filespec/F(lista.csv)/UF(lista.csv)/EF<</F 6 0 R/UF 6 0 R>>>>",
        b"<</Filter/Standard%s%s/StmF/Identity/StrF/Identity%s>>" % (entries, filters, eff),
    ]
    out, places = b"%PDF-2.0\n", []
    for number, written in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, written)
    table = b"xref\n0 9\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer\n<</Size 9/Root 1 0 R/Encrypt 8 0 R/ID[%s%s]>>\n" % ((hexadecimal(ID),) * 2)
    out += table + trailer + b"startxref\n%d\n%%%%EOF\n" % len(out)
    open(name, "wb").write(out)
    assert PAGE in out and INSIDE not in out, name
    methods = pikepdf.open(name, password=user).encryption
    assert {methods.stream_method, methods.string_method} == {pikepdf.models.EncryptionMethod.none}, methods
    with open(name, "rb") as file:
        reader = PdfFileReader(file)
        without = reader.decrypt("").status
        assert (without == AuthStatus.FAILED) == (user != ""), without
        assert reader.decrypt(user).status == AuthStatus.USER, name
        specification = reader.root["/Names"]["/EmbeddedFiles"]["/Names"][1]
        assert specification["/EF"]["/F"].data == INSIDE, name
        assert reader.root["/Pages"]["/Kids"][0]["/Contents"].data == PAGE, name


TYPED = b"/Type/EmbeddedFile"
pdf("attachments-aes128.pdf", aes128, "oppna", TYPED)
pdf("attachments-aes256.pdf", aes256, "oppna", TYPED)
pdf("attachments-own-filter.pdf", aes256, "oppna", TYPED + b"/Filter[/Crypt]/DecodeParms[<</Name/StdCF>>]", b"")
pdf("attachments-open.pdf", aes256, "", TYPED)


# CMS (RFC 5652), packed (RFC 3274).
def der(tag, *values):
    content = b"".join(values)
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def ber(tag, *values):
    """Of indefinite length."""
    return bytes([tag, 0x80]) + b"".join(values) + b"\0\0"


def oid(text):
    first, second, *rest = map(int, text.split("."))
    out = [40 * first + second]
    for arc in rest:
        group = [arc & 127]
        while arc := arc >> 7:
            group.insert(0, 128 | arc & 127)
        out += group
    return der(0x06, bytes(out))


ZLIB, TYPE = "1.2.840.113549.1.9.16.3.8", "1.2.840.113549.1.9.16.1.9"
DATA, SIGNED, ENVELOPED = (f"1.2.840.113549.1.7.{number}" for number in (1, 2, 3))


def packed(content, kind=DATA, chunks=None):
    octets = zlib.compress(content, 9)
    if chunks:
        pieces = [octets[at:at + chunks] for at in range(0, len(octets), chunks)]
        string, make = ber(0x24, *(der(0x04, piece) for piece in pieces)), ber
    else:
        string, make = der(0x04, octets), der
    inner = make(0x30, oid(kind), make(0xA0, string))
    body = make(0x30, der(0x02, b"\0"), der(0x30, oid(ZLIB)), inner)
    return make(0x30, oid(TYPE), make(0xA0, body))


def entity(name, content, what):
    head = f"Content-Type: application/pkcs7-mime; smime-type={what}; name={name}\r\n"
    return (head + "Content-Transfer-Encoding: base64\r\n\r\n").encode() + base64.encodebytes(content)


def save(name, inside, kind=DATA, chunks=None):
    octets = packed(inside, kind, chunks)
    open(name, "wb").write(octets)
    parsed = cms.ContentInfo.load(octets)
    assert parsed["content_type"].native == "compressed_data", name
    if kind == DATA:
        assert parsed["content"].decompressed == inside, name
    else:
        # asn1crypto wants to read what is packed before it unpacks it.
        lines = subprocess.run(["openssl", "asn1parse", "-inform", "DER", "-in", name], capture_output=True,
                               check=True, text=True).stdout.splitlines()
        at, head, length = map(int, re.match(r" *(\d+):d=\d+ +hl=(\d+) +l= *(\d+)", lines[-1]).groups())
        assert "OCTET STRING" in lines[-1], lines
        assert zlib.decompress(octets[at + head:at + head + length]) == inside, name
    said = subprocess.run(["openssl", "cms", "-cmsout", "-print", "-inform", "DER", "-in", name],
                          capture_output=True, check=True, text=True).stdout
    assert "id-smime-ct-compressedData" in said and "zlib compression" in said, said


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=scratch)
    return open(os.path.join(scratch, "out"), "rb").read()


text = f"Content-Type: text/plain; charset=utf-8\r\n\r\nPnr {NUMBER}, läkarintyg\r\n".encode()
with tempfile.TemporaryDirectory() as scratch:
    open(os.path.join(scratch, "entity"), "wb").write(text)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
            "/CN=anna@exempelby.se", "-keyout", "key", "-out", "out", "-days", "36500")
    os.rename(os.path.join(scratch, "out"), os.path.join(scratch, "cert"))
    ends = ["-binary", "-in", "entity", "-out", "out", "-outform", "DER"]
    signed = openssl("cms", "-sign", "-nodetach", "-nosmimecap", "-signer", "cert", "-inkey", "key", *ends)
    enveloped = openssl("cms", "-encrypt", "-aes256", "-recip", "cert", *ends)
    save("packed.p7m", text)
    save("packed-ber.p7m", text, chunks=24)
    inside = entity("smime.p7m", signed, "signed-data")
    save("packed-signed.p7m", inside)
    inside = entity("smime.p7m", enveloped, "enveloped-data")
    save("packed-enveloped.p7m", inside)
    # The object itself, not a message around it (RFC 3274 1.1 allows any content type).
    bare = [cms.ContentInfo.load(whole)["content"].untag().dump() for whole in (signed, enveloped)]
    save("packed-signed-bare.p7m", bare[0], SIGNED)
    save("packed-enveloped-bare.p7m", bare[1], ENVELOPED)
    # Packed, and then signed: what most programs write that pack at all.
    open(os.path.join(scratch, "entity"), "wb").write(entity("smime.p7z", packed(text), "compressed-data"))
    outer = openssl("cms", "-sign", "-nodetach", "-nosmimecap", "-signer", "cert", "-inkey", "key", *ends)
    open("signed-packed.p7m", "wb").write(outer)
    opened = openssl("cms", "-verify", "-noverify", "-inform", "DER", "-in", os.path.abspath("signed-packed.p7m"),
                     "-binary", "-out", "out")
    assert opened == entity("smime.p7z", packed(text), "compressed-data")
