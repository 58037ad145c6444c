#!/usr/bin/env python3
"""Makes a small store and exports of it with a built postvakt: what later versions must still search and verify.

    python3 tests/stores/make.py target/release/postvakt tests/stores/form-1.tar.gz

The archive holds a store of three months (`store`), the heads that were copied off it (`heads`), and an export in each
form with its manifest and proof (`exports`). `form-1.tar.gz` was made by the program as it was before its log had the
column `authentication`; it is not to be made again, for the program of that time made it. The clock of each command
is set by a small preloaded library. Python 3.11, `cc`.
"""
import os
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
from datetime import datetime, timezone

CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t which, struct timespec *t) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int r = real(which, t);
    if (!r && which == CLOCK_REALTIME) t->tv_sec += atoll(getenv("CLOCK_SHIFT"));
    return r;
}
"""
CONFIG = """
[organisation]
name = "Exempelby kommun"
domains = ["exempelby.se"]
internal_networks = ["10.0.0.0/8"]
[server]
listen = ["unix:{work}/milter.sock"]
node = "gw1"
[store]
directory = "{work}/store"
heads = {{ file = "{work}/heads" }}
retention = [{{ authority = "Kommunstyrelsen", mailboxes = ["*"], keep = "60 d", decision = "KS 2026/12" }}]
[disclosure]
words = ["Lönnrot"]
[smtp]
submit = "127.0.0.1:9"
[rules.auto-forward]
mode = "observe"
action = "hold"
[rules.sensitive-data]
mode = "enforce"
action = "mark"
[rules.receipt]
mode = "enforce"
require_authentication = false
mailboxes = [{{ address = "registrator@exempelby.se" }}]
"""
ANNA, REGISTRAR, CITIZEN = "anna@exempelby.se", "registrator@exempelby.se", "karin.berg@example.org"


def mails(month):
    """Sender, recipients, client, header fields and body."""
    yield CITIZEN, [REGISTRAR], "192.0.2.10", {"From": CITIZEN, "Subject": "Begäran om handling"}, "Hej.\r\n"
    yield ANNA, [CITIZEN], "10.0.0.5", {"From": ANNA, "Subject": "Ärende Lönnrot, 811228-9874"}, "Diagnos: 811228-9874 är sjuk.\r\n"
    yield "", [ANNA], "192.0.2.10", {"From": "MAILER-DAEMON@example.org", "Subject": "Undelivered"}, "Nej.\r\n"
    parts = 'multipart/mixed; boundary="b"'
    body = '--b\r\n\r\nHej.\r\n--b\r\nContent-Disposition: attachment; filename="Anbud.txt"\r\n\r\nx\r\n--b--\r\n'
    yield "bounce-7@example.net", [ANNA, REGISTRAR], "192.0.2.11", \
        {"From": "Bygg <bygg@example.net>", "Subject": f"Anbud {month}", "Content-Type": parts}, body
    yield ANNA, ["anna.privat@example.com"], "10.0.0.5", \
        {"From": CITIZEN, "Subject": "Fråga", "X-MS-Exchange-Inbox-Rules-Loop": ANNA}, "Hej.\r\n"


class Milter:
    """A mail server that offers no optional step, so that each event has its reply."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.put(b"O", struct.pack(">III", 6, 0x1FF, 0))
        assert self.get()[:1] == b"O"

    def put(self, kind, data=b""):
        self.socket.sendall(struct.pack(">I", len(data) + 1) + kind + data)

    def get(self):
        length = struct.unpack(">I", self.socket.recv(4, socket.MSG_WAITALL))[0]
        return self.socket.recv(length, socket.MSG_WAITALL)

    def event(self, kind, data=b""):
        self.put(kind, data)
        while (reply := self.get())[:1] in b"phimy+s" and reply[:1] not in b"s":
            if kind != b"E":
                break
        assert reply[:1] in b"ca", (kind, reply)

    def macros(self, of, named):
        self.put(b"D", of + b"".join(text.encode() + b"\0" for pair in named.items() for text in pair))

    def send(self, sender, recipients, client, fields, body, queue_id):
        self.macros(b"C", {"j": "mx.exempelby.se"})
        self.event(b"C", b"mail.example.org\x004" + struct.pack(">H", 25252) + client.encode() + b"\0")
        self.event(b"H", b"mail.example.org\0")
        self.macros(b"M", {"{mail_addr}": sender})
        self.event(b"M", f"<{sender}>".encode() + b"\0")
        for recipient in recipients:
            self.macros(b"R", {"i": queue_id, "{rcpt_addr}": recipient})
            self.event(b"R", f"<{recipient}>".encode() + b"\0")
        for name, value in fields.items():
            self.event(b"L", name.encode() + b"\0" + value.encode() + b"\0")
        self.event(b"N")
        self.event(b"B", body.encode())
        self.macros(b"E", {"i": queue_id})
        self.event(b"E")
        self.put(b"Q")
        self.socket.close()


class Made:
    def __init__(self, program, work):
        self.program, self.work, self.sent = os.path.abspath(program), work, 0
        with open(f"{work}/clock.c", "w") as source:
            source.write(CLOCK)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", f"{work}/clock.so", f"{work}/clock.c", "-ldl"], check=True)
        with open(f"{work}/postvakt.toml", "w") as config:
            config.write(CONFIG.format(work=work))

    def env(self, at):
        wanted = datetime.fromisoformat(at).replace(tzinfo=timezone.utc).timestamp()
        shift = str(int(wanted - time.time()))
        return {**os.environ, "LD_PRELOAD": f"{self.work}/clock.so", "CLOCK_SHIFT": shift}

    def day(self, at):
        command = [self.program, "serve", "--config", f"{self.work}/postvakt.toml"]
        daemon = subprocess.Popen(command, env=self.env(at))
        with socket.socket(socket.AF_UNIX) as probe:
            while probe.connect_ex(f"{self.work}/milter.sock"):
                assert daemon.poll() is None
                time.sleep(0.05)
        for mail in mails(at[:7]):
            self.sent += 1
            mail[3]["Message-ID"] = f"<{self.sent}@example.org>"
            Milter(f"{self.work}/milter.sock").send(*mail, f"4fK{self.sent}")
        # The index files of the months before are made meanwhile.
        time.sleep(1)
        daemon.terminate()
        daemon.wait(20)

    def log(self, at, *arguments):
        command = [self.program, "log", *arguments, "--config", f"{self.work}/postvakt.toml"]
        subprocess.run(command, env=self.env(at), check=True, stdout=subprocess.DEVNULL)


def main(program, archive):
    with tempfile.TemporaryDirectory() as work:
        made = Made(program, work)
        for at in ["2026-06-10T08:00", "2026-07-14T08:00", "2026-08-20T08:00"]:
            made.day(at)
        made.log("2026-08-20T10:00", "decision", "add", "KS 2026/77", "--by", "Kommundirektören", "--date", "2026-08-20",
                 "--purpose", "Granskning", "--person", ANNA, "--valid-until", "2027-12-31")
        made.log("2026-08-20T10:01", "search", "--sender", ANNA, "--decision", "KS 2026/77")
        made.log("2026-08-20T10:02", "hold", "add", "Dnr 5", "--party", "bounce-7@example.net")
        os.mkdir(f"{work}/exports")
        for name in ["internal.csv", "internal.xlsx", "internal.jsonl", "internal.html", "disclose.csv", "pseudonym.csv"]:
            profile, form = name.split(".")
            made.log("2026-08-20T10:03", "export", "--decision", "KS 2026/77", "--format", form, "--profile", profile,
                     "--output", f"{work}/exports/{name}")
        made.log("2026-08-20T11:00", "retention", "run", "--decision", "KS 2026/12", "--today", "2026-08-20")
        # A head covers what was written to the access log last.
        made.day("2026-08-20T12:00")
        with tarfile.open(archive, "w:gz") as tar:
            for name in ["store", "heads", "exports"]:
                tar.add(f"{work}/{name}", arcname=name, filter=lambda file: None if file.name.endswith(("-shm", "-wal")) else file)


if __name__ == "__main__":
    main(*sys.argv[1:])
