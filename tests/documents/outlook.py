"""Writes text.msg: an Outlook message (MS-OXMSG) with a body and one attachment, in a compound file by extract-msg."""
import struct, sys
from extract_msg.ole_writer import OleWriter

def fixed(tag, kind, size): return struct.pack('<HHIII', kind, tag, 6, size, 0)
def text(value): return value.encode('utf-16-le')

body, subject = 'Personnummer 811228-9874, läkarintyg bifogas.\r\n', 'Underlag'
name, content = 'bilaga.txt', 'Samtal om 19121212-1212\n'.encode()
w = OleWriter()
strings = [(0x001A, 'IPM.Note'), (0x0037, subject), (0x1000, body), (0x0C1A, 'Anna'), (0x0E04, 'x@example.org')]
top = b'\0' * 8 + struct.pack('<IIII', 0, 1, 0, 1) + b'\0' * 8
for tag, value in strings:
    top += fixed(tag, 0x001F, len(text(value)) + 2)
    w.addEntry('__substg1.0_%04X001F' % tag, text(value))
w.addEntry('__properties_version1.0', top)
w.addEntry('__nameid_version1.0', storage=True)
for stream in ('00020102', '00030102', '00040102'):
    w.addEntry(['__nameid_version1.0', '__substg1.0_' + stream], b'')
a = '__attach_version1.0_#00000000'
w.addEntry(a, storage=True)
w.addEntry([a, '__substg1.0_3707001F'], text(name))
w.addEntry([a, '__substg1.0_37010102'], content)
props = b'\0' * 8 + fixed(0x3707, 0x001F, len(text(name)) + 2) + fixed(0x3701, 0x0102, len(content)) + struct.pack('<HHIII', 0x0003, 0x3705, 6, 1, 0)
w.addEntry([a, '__properties_version1.0'], props)
w.write(sys.argv[1])
