import base64, email, email.policy, subprocess, sys

def message():
    return sys.stdin.buffer.read()

def sign(key, selector, domain):
    import dkim
    text = message().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    fields = [b"From", b"To", b"Subject", b"Date", b"Message-ID"]
    signature = dkim.sign(text, selector.encode(), domain.encode(), open(key, "rb").read(), include_headers=fields)
    sys.stdout.buffer.write((signature + text).replace(b"\r\n", b"\n"))

def seal(key, selector, domain, stated):
    """Hands the message on: what is stated of it, sealed over what is there. What is there may state enough."""
    import dkim
    text = message().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if stated:
        text = f"Authentication-Results: {domain}; {stated}\r\n".encode() + text
    fields = [b"From", b"To", b"Subject", b"Date", b"Message-ID"]
    sealed = dkim.arc_sign(text, selector.encode(), domain.encode(), open(key, "rb").read(), domain.encode(), include_headers=fields)
    assert len(sealed) == 3, sealed
    sys.stdout.buffer.write((b"".join(sealed) + text).replace(b"\r\n", b"\n"))

def chain(record):
    import dkim
    text = message().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    print(dkim.arc_verify(text, dnsfunc=lambda name, timeout=5: record.encode())[0].decode())

def verify(record):
    import dkim
    text = message().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    print(dkim.DKIM(text).verify(dnsfunc=lambda name, timeout=5: record.encode()))

def subject():
    found = email.message_from_bytes(message(), policy=email.policy.default)["Subject"]
    print("" if found is None else str(found))

def text():
    print(email.message_from_bytes(message(), policy=email.policy.default).get_body().get_content())

def key(path):
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", path, "2048"], check=True, capture_output=True)
    der = subprocess.run(["openssl", "rsa", "-in", path, "-pubout", "-outform", "DER"], check=True, capture_output=True)
    print("v=DKIM1; k=rsa; p=" + base64.b64encode(der.stdout).decode())

def hash():
    import hashlib
    print(base64.b64encode(hashlib.sha256(message()).digest()).decode())

def results():
    import authres
    print(authres.AuthenticationResultsHeader.parse(message().decode()).authserv_id)

{"hash": hash, "results": results, "sign": sign, "seal": seal, "chain": chain, "verify": verify, "subject": subject, "text": text, "key": key}[sys.argv[1]](*sys.argv[2:])
