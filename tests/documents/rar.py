"""Writes packed.rar, solid.rar and packed-4.rar: RAR 5, RAR 5 in one stream, RAR 4; with rars of PyPI. bsdtar reads them again."""
import rars

TEXT = "".join(f"Rad {row}: personnummer 811228-9874, åtgärd {row * row}.\r\n" for row in range(1, 40)).encode()

for name, options in (
    ("packed.rar", {"format": "rar50"}),
    ("solid.rar", {"format": "rar50", "solid": True}),
    ("packed-4.rar", {"format": "rar40"}),
):
    archive = rars.RarBuilder(**options)
    archive.add_bytes(TEXT, "anteckning.txt", mtime=1_700_000_000)
    archive.add_bytes(open("text.rtf", "rb").read(), "mapp/text.rtf", mtime=1_700_000_000)
    archive.add_bytes(TEXT.replace(b"811228-9874", b"19121212-1212"), "mapp/rader.csv", mtime=1_700_000_000)
    archive.write(name)
