#!/usr/bin/env python3
"""What a mail with an attachment waits for, with two builds of the program in turn: real rspamd and clamd, and a name
server on loopback that takes its time. Prints the median of each and of the ratios of neighbours.

    python3 benches/gathering.py --before OLD/postvakt --after target/release/postvakt
"""

import argparse
import io
import json
import os
import socket
import statistics
import struct
import subprocess
import tempfile
import threading
import time
import zipfile

CONFIG = """[organisation]
name = "Exempelby kommun"
domains = ["exempelby.se"]
internal_networks = ["127.0.0.0/8", "10.0.0.0/8"]
[server]
listen = ["unix:{home}/milter.sock"]
[store]
directory = "{home}/store"
[dns]
servers = ["127.0.0.1:{dns}"]
[scanners.rspamd]
address = "127.0.0.1:{rspamd}"
deadline = "60 s"
[scanners.clamav]
address = "127.0.0.1:{clamd}"
deadline = "60 s"
[rules.spam]
mode = "enforce"
[rules.virus]
mode = "enforce"
[rules.lookalike-sender]
mode = "enforce"
[rules.sensitive-data]
mode = "enforce"
inbound = "act"
"""

RSPAMD = """.include "$CONFDIR/common.conf"
options {{
  pidfile = "{home}/rspamd.pid"; tempdir = "{home}"; dynamic_conf = "{home}/dynamic"; rrd = "{home}/rrd";
  stats_file = "{home}/stats"; hs_cache_dir = "{home}"; url_tld = "{home}/tld.dat"; disable_hyperscan = true;
  dns {{ nameserver = ["127.0.0.1:{dns}"]; timeout = 1s; retransmits = 1; }}
}}
logging {{ type = "console"; level = "warning"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{rspamd}"; count = 1; }}
"""

CLAMD = """DatabaseDirectory {home}
TCPSocket {clamd}
TCPAddr 127.0.0.1
Foreground yes
User root
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def names(port, delay):
    """A name server that has an SPF and a DMARC record for every domain, and nothing else."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", port))

    def answer(query, client):
        end = query.index(b"\0", 12) + 5
        name, kind = query[12:end - 5].lower(), struct.unpack(">H", query[end - 4:end - 2])[0]
        text = b"v=DMARC1; p=none" if b"_dmarc" in name else b"v=spf1 ip4:192.0.2.0/24 -all"
        known = kind == 16 and b"_domainkey" not in name
        data = bytes([len(text)]) + text
        record = b"\xc0\x0c" + struct.pack(">HHIH", 16, 1, 60, len(data)) + data
        flags, count = (0x8180, 1) if known else (0x8183, 0)
        head = query[:2] + struct.pack(">HHHHH", flags, 1, count, 0, 0)
        time.sleep(delay)
        server.sendto(head + query[12:end] + (record if known else b""), client)

    def serve():
        while True:
            query, client = server.recvfrom(4096)
            threading.Thread(target=answer, args=(query, client), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()


def workbook(rows):
    """A workbook of so many rows with a name, a number and a sum."""
    cell = '<row><c t="inlineStr"><is><t>Anna Andersson {0}</t></is></c><c><v>{0}</v></c><c><v>{1}</v></c></row>'
    sheet = "".join(cell.format(row, row * 17) for row in range(rows))
    sheet = f"<worksheet><sheetData>{sheet}</sheetData></worksheet>"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", "<Types/>")
        package.writestr("xl/worksheets/sheet1.xml", sheet)
    return out.getvalue()


def mail(number, attachment):
    """A mail of a domain that no name server was asked about."""
    import base64
    body = base64.encodebytes(attachment).decode()
    return f"""From: Anna <anna@d{number}.example.org>
To: registrator@exempelby.se
Subject: Underlag {number}
Message-ID: <{number}@d{number}.example.org>
Date: Mon, 4 May 2026 09:14:01 +0200
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=utf-8

Se bilagan.
--b
Content-Type: application/vnd.openxmlformats-officedocument.spreadsheetml.sheet
Content-Disposition: attachment; filename=underlag.xlsx
Content-Transfer-Encoding: base64

{body}
--b--
""".replace("\n", "\r\n")


def wait_for(port):
    for _ in range(1200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nobody listens on {port}")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--before", required=True)
    options.add_argument("--after", required=True)
    options.add_argument("--mails", type=int, default=10, help="mails in each round (10)")
    options.add_argument("--rounds", type=int, default=8, help="rounds (8)")
    options.add_argument("--rows", type=int, default=5000, help="rows of the workbook (5000)")
    options.add_argument("--dns", type=int, default=40, help="milliseconds that an answer takes (40)")
    options = options.parse_args()
    with tempfile.TemporaryDirectory() as home:
        place = {"home": home, **{name: free_port() for name in ("dns", "rspamd", "clamd")}}
        names(place["dns"], options.dns / 1000)
        for name, text in ("tld.dat", "se\norg\n"), ("test.ndb", "Postvakt.Nothing:0:*:" + "58" * 40 + "\n"), \
                ("rspamd.conf", RSPAMD.format(**place)), ("clamd.conf", CLAMD.format(**place)), \
                ("postvakt.toml", CONFIG.format(**place)):
            with open(f"{home}/{name}", "w") as file:
                file.write(text)
        log = open(f"{home}/scanners.log", "w")
        scanners = [subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) for command in (
            ["rspamd", "-f", "-u", "root", "-g", "root", "--insecure", "-c", f"{home}/rspamd.conf"],
            ["clamd", "-c", f"{home}/clamd.conf"])]
        try:
            wait_for(place["rspamd"])
            wait_for(place["clamd"])
            attachment, number = workbook(options.rows), 0
            took = {"before": [], "after": []}
            for _ in range(options.rounds + 1):
                for build in took:
                    files = []
                    for _ in range(options.mails):
                        number += 1
                        files.append(f"{home}/{number}.eml")
                        with open(files[-1], "w", newline="") as file:
                            file.write(mail(number, attachment))
                    command = [getattr(options, build), "explain", "--json", "--config", f"{home}/postvakt.toml",
                               "--client", "192.0.2.7", "--rcpt", "registrator@exempelby.se", *files]
                    begun = time.monotonic()
                    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                    took[build].append((time.monotonic() - begun) / options.mails)
                    for line in said.splitlines():
                        told = json.loads(line)["facts"]
                        assert "unavailable" not in json.dumps(told), told
            for build, times in took.items():
                # The first round warms the scanners.
                print(f"{build}: median {statistics.median(times[1:]) * 1000:.0f} ms a mail")
            ratios = [after / before for before, after in zip(took["before"][1:], took["after"][1:])]
            print(f"after / before: median {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
        finally:
            for scanner in scanners:
                scanner.terminate()
                scanner.wait()


if __name__ == "__main__":
    os.chdir(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    main()
