#!/usr/bin/env python3
"""Checks proof bundles offline: a second implementation, written from docs/formats alone. It needs the package cryptography.

    scripts/verify_bundle.py --policy policy.json bundle.json ...

prints a line of JSON for each file: what it amounts to, or the class of what does not hold. Exit code 3 when one does not hold.
The comments name the pages of docs/formats that a part was written from."""
import argparse, base64, binascii, datetime, hashlib, json, re, sys, time
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

MAX_SIZE, MAX_MS, MAX_INT, ZERO = 64 << 20, 253402300799999, 2**53 - 1, bytes(32)

class Bad(Exception):
    """Refuses; the first argument is the class, the second says what."""

def want(holds, cls, what=''):
    if not holds: raise Bad(cls, what)

def sha(*parts): return hashlib.sha256(b''.join(parts)).digest()
def blake(*parts): return hashlib.blake2b(b''.join(parts), digest_size=32).digest()
def be64(n): return n.to_bytes(8, 'big')
def text64(b): return base64.urlsafe_b64encode(b).rstrip(b'=').decode()

def from64(text, size=None):  # README.md, conventions
    want(isinstance(text, str) and re.fullmatch('[A-Za-z0-9_-]*', text) and len(text) % 4 != 1, 'malformed', 'base64url')
    b = base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))
    want(text64(b) == text and (size is None or len(b) == size), 'malformed', 'base64url')
    return b

def std64(text, cls='invalid_proof'):
    try: b = base64.b64decode(text.encode(), validate=True)
    except (binascii.Error, ValueError): raise Bad(cls, 'base64')
    want(base64.b64encode(b).decode() == text, cls, 'base64')
    return b

# --- JSON: records.md (bodies), bundle.md, log.md (policies) ---------------------------------------------------------------------

def read_json(raw, deepest=16):
    def pairs(items):
        want(len(dict(items)) == len(items), 'malformed', 'a member twice')
        return dict(items)
    def integer(text):
        if text == '-0': return -0.0  # not the digits of a number, and a value like any other
        want(len(text) < 20 and abs(int(text)) <= MAX_INT, 'malformed', 'integer')
        return int(text)
    def double(text):
        want(abs(float(text)) != float('inf'), 'malformed', 'number')
        return float(text)
    def constant(_): raise Bad('malformed', 'no JSON')
    def check(v, depth=1):
        if isinstance(v, str):
            want(not any(0xD800 <= ord(c) < 0xE000 or 0xFDD0 <= ord(c) < 0xFDF0 or ord(c) & 0xFFFE == 0xFFFE for c in v), 'malformed', 'text')
        if isinstance(v, (dict, list)):
            want(depth <= deepest, 'malformed', 'nested too deep')
            for x in list(v) + list(v.values()) if isinstance(v, dict) else v: check(x, depth + 1)
    try: value = json.loads(raw.decode('utf-8'), object_pairs_hook=pairs, parse_int=integer, parse_float=double, parse_constant=constant)
    except (ValueError, RecursionError): raise Bad('malformed', 'no JSON')
    check(value)
    want(isinstance(value, dict), 'malformed', 'no object')
    return value

def has(o, *names, optional=()):
    want(isinstance(o, dict) and set(names) <= set(o) <= set(names) | set(optional), 'malformed', f'members {names}')
    return o

def number(v, most=MAX_INT):
    want(type(v) is int and 0 <= v <= most, 'malformed', 'number')
    return v

# --- signatures: tap.md, channel.md ------------------------------------------------------------------------------------------------

def ed_signed(key, message, signature):
    try: ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError): return False
    return True

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ALGORITHMS = {'p256': (1, 64), 'rsa2048': (2, 256), 'ed25519': (3, 64)}

def card_key(alg, key):
    """The public key of a card, or None."""
    try:
        if alg == 'p256' and len(key) == 65 and key[0] == 4: return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
        if alg == 'rsa2048' and len(key) == 259 and key[256:] == b'\1\0\1' and key[0] & 0x80 and key[255] & 1:
            return rsa.RSAPublicNumbers(65537, int.from_bytes(key[:256], 'big')).public_key()
        if alg == 'ed25519' and len(key) == 32: return key
    except ValueError: pass

def card_signed(alg, public, card, purpose, counter, tail, signature):
    number_, size = ALGORITHMS[alg]
    signed = b'PIDT\1' + bytes([purpose, number_]) + card + counter.to_bytes(4, 'big') + tail
    try:
        if len(signature) != size: return False
        if alg == 'ed25519': return ed_signed(public, signed, signature)
        if alg == 'rsa2048': public.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        else: public.verify(utils.encode_dss_signature(*(int.from_bytes(x, 'big') for x in (signature[:32], signature[32:]))), signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature: return False
    return True

HOST = r'[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*(:[0-9]{1,5})?'

def template_holds(prefix, middle):  # tap.md, the URL
    if len(prefix + middle) > 120 or not prefix.startswith('https://'): return False
    if not all(re.fullmatch(r"([A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*", part) for part in (prefix, middle)): return False
    if not re.fullmatch(HOST, re.split('[/?]', prefix[8:])[0]): return False
    as_parameter = prefix[-3:] in ('?i=', '&i=') and middle.startswith('&')
    as_serial = prefix.endswith('/21/') and '?' not in prefix and middle.startswith('?')
    query = [p.split('=', 1) for p in (prefix + 'ID' + middle + 'C&s=S').partition('?')[2].split('&')]
    keys = [p[0] for p in query]
    if any(k.startswith('%') or k in 'vknx' for k in keys if k) or any(keys.count(k) > 1 for k in 'ics'): return False
    found = dict(p for p in query if len(p) == 2)
    return (as_parameter or as_serial and 'i' not in keys) and found.get('i', 'ID') == 'ID' and middle[-3:] in ('?c=', '&c=') and found['c'] == 'C'

class Message:  # channel.md
    def __init__(self, raw):
        head, self.payload, signature = raw[:92], raw[92:-64], raw[-64:]
        self.raw, self.channel, self.number, self.prev = raw, head[8:40], int.from_bytes(head[40:48], 'big'), head[48:80]
        want(156 <= len(raw) <= 8192 and head[:5] == b'PIDC\1' and head[5] <= 1 and head[6:8] == b'\0\0', 'malformed', 'message')
        want(self.number or self.prev == ZERO, 'malformed', 'message')
        want(int.from_bytes(head[80:88], 'big') <= MAX_MS and int.from_bytes(head[88:], 'big') == len(self.payload), 'malformed', 'message')
        self.public, size = head[5] == 0, len(self.payload)
        if self.public: want(size <= 7500, 'malformed', 'message')
        else: want(size % 64 == 48 and 112 <= size <= 48 + 7552 and int.from_bytes(self.payload[:8], 'big') <= self.number, 'malformed', 'message')
        want(ed_signed(self.channel, b'pidc1/message\0' + head + sha(self.payload), signature), 'bad_signature', f'message {self.number}')
        self.stub = head + sha(self.payload) + signature
        self.hash = sha(self.stub)

    def follows(self, channel, number_, prev):
        want(self.channel == channel, 'wrong_channel', f'message {self.number}')
        want(self.number == number_ and self.prev == prev and self.public, 'broken_chain', f'message {number_}')

# --- what messages say: records.md ---------------------------------------------------------------------------------------------------

def text(v): want(isinstance(v, str), 'malformed'); return v
def hash32(v): return from64(v, 32)
def u32(v): return number(v, 2**32 - 1)
def one_of(*values): return lambda v: want(v in values and isinstance(v, str), 'malformed')
def any_value(v): want(v is not None, 'malformed')
def truth(v): want(isinstance(v, bool), 'malformed')
def hash_or_empty(v): return v == '' or hash32(text(v))
def digits(v): want(isinstance(v, str) and re.fullmatch('[0-9A-F]{8}', v), 'malformed')
def members(**forms): return lambda v: (want(isinstance(v, dict), 'malformed'), check_members(v, forms))
def run(v): want(isinstance(v, list) and len(v) == 2, 'malformed'); u32(v[0]); u32(v[1])
def https_url(v): want(v == '' or re.match('https://[^/@?#]+([/?#]|$)', text(v)), 'malformed')

def check_members(o, forms):
    for name, form in forms.items():  # a name that ends in _ may be missing
        if name.rstrip('_') in o: form(o[name.rstrip('_')])
        else: want(name.endswith('_'), 'malformed', name)

HEAD = dict(last=u32, state=one_of('in_service', 'completed', 'revoked', 'moved'), settings_=hash_or_empty)
ALG = one_of(*ALGORITHMS)
KINDS = {
    'issuer.opened': dict(name=text, url=text, log_=text, network_=text, next=hash32),
    'card.registered': dict(id=lambda v: from64(v, 12), alg=ALG, key=from64, prefix=text, middle=text,
        subject=one_of('product', 'place', 'event', 'device', 'actuator'), gtin_=text, lot_=text, serial_=text, taps=hash32, station=text, operator_=text,
        applet=members(version=text, cap_=text), proof=members(counter=u32, nonce=from64, signature=from64)),
    'card.in_service': HEAD,
    'tap': dict(HEAD, i=lambda v: from64(v, 12), c=digits, s=from64, alg=ALG, action=text, payload_=any_value, payloadHash_=hash32, skipped_=run,
        previous_=hash32, operator_=text, retry_=text, salt_=from64),
    'card.configured': dict(HEAD, settings=hash32),
    'settings': dict(productUrl_=https_url, loginRequired_=truth),
}
del KINDS['card.configured']['settings_']

def read_record(m):
    """The record of a message, or None for one that is malformed."""
    try:
        r = read_json(m.payload)
        check_members(r, dict(kind=text, must_=truth, **KINDS.get(r.get('kind') if isinstance(r.get('kind'), str) else '', {})))
        if r['kind'] == 'issuer.opened': want(r['name'] and bool(r.get('log')) != bool(r.get('network')), 'malformed')
        want(r['kind'] and not ('payload' in r and 'payloadHash' in r), 'malformed')
    except Bad: return None
    want(r['kind'] in KINDS or not r.get('must'), 'unsupported', f'a record that must be understood: {r["kind"]}')
    return r

class Card:
    """A card as its registration has it, and then as its tap channel goes on."""
    def __init__(self, r, issuer):
        self.id, self.alg, self.channel, proof = from64(r['id']), r['alg'], from64(r['taps']), r['proof']
        self.state, self.last, self.settings, self.taps = '', proof['counter'], '', 0
        key, nonce = from64(r['key']), from64(proof['nonce'])
        self.key = card_key(self.alg, key)
        want(template_holds(r['prefix'], r['middle']), 'not_registered', 'bad_template')
        want(self.key is not None, 'not_registered', 'bad_key')
        want(sha(bytes([ALGORITHMS[self.alg][0]]), key)[:12] == self.id, 'not_registered', 'wrong_key')
        tail = sha(len(nonce).to_bytes(2, 'big'), nonce, b'PIDR\1' + issuer + self.channel)
        want(16 <= len(nonce) <= 32 and self.last > 0 and card_signed(self.alg, self.key, self.id, 2, self.last, tail, from64(proof['signature'])),
             'not_registered', 'bad_proof')

    def follow(self, m):
        """Takes the next message; returns kind and reason of a record that does not hold."""
        r = read_record(m)
        if r is None: return '', 'malformed'
        kind, head = r['kind'], (r.get('last'), r.get('state'), r.get('settings', ''))
        if self.state == 'moved': return kind, 'channel_moved'
        if kind not in KINDS:
            try: check_members(r, HEAD)
            except Bad: return kind, 'unknown_kind'
            if head[0] >= self.last and self.state: self.last, self.state, self.settings = head
            return kind, 'unknown_kind'
        if kind not in ('card.in_service', 'tap', 'card.configured'): return kind, 'wrong_channel'
        reason = getattr(self, kind.replace('card.', ''))(m, r)
        if reason: return kind, reason
        self.last, self.state, self.settings = head

    def in_service(self, m, r):
        return 'not_first' if m.number else 'wrong_last' if r['last'] < self.last else 'wrong_state' if r['state'] != 'in_service' else None

    def configured(self, m, r):
        return 'not_in_service' if not self.state else 'wrong_last' if r['last'] != self.last else 'wrong_state' if r['state'] != self.state else None

    def tap(self, m, r):
        c, s = int(r['c'], 16), from64(r['s'])
        if self.state not in ('in_service', 'completed'): return 'not_in_service'
        if from64(r['i']) != self.id or r['alg'] != self.alg: return 'wrong_card'
        if c <= self.last: return 'counter_used'
        if r['last'] != c: return 'wrong_last'
        if r['state'] != self.state: return 'wrong_state'
        if r.get('settings', '') != self.settings: return 'wrong_settings'
        if 'skipped' in r and (c == self.last + 1 or r['skipped'] != [self.last + 1, c - 1]): return 'wrong_skipped'
        low = self.alg != 'p256' or int.from_bytes(s[32:], 'big') <= P256_ORDER // 2
        if not low or not card_signed(self.alg, self.key, self.id, 1, c, b'', s): return 'bad_signature'
        self.taps += 1

# --- the log: log.md ------------------------------------------------------------------------------------------------------------------

def open_checkpoint(note, policy):
    """Origin, size, root and phase of a checkpoint that the policy trusts."""
    body, _, rest = note.rpartition('\n\n')
    want(body and len(note.encode()) <= 16384 and rest.endswith('\n') and not re.search('[\0-\x09\x0b-\x1f]', note), 'invalid_proof', 'checkpoint')
    body, lines, signed = body + '\n', body.split('\n'), {}
    want(len(lines) >= 3 and all(lines) and re.fullmatch('0|[1-9][0-9]{0,18}', lines[1]) and int(lines[1]) < 2**63, 'invalid_proof', 'checkpoint')
    for line in rest[:-1].split('\n'):
        m = re.fullmatch(r'— ([^\s+]+) (\S+)', line)
        signature = std64(m[2]) if m else b''
        want(len(signature) > 4 and (m[1], signature[:4]) not in signed and len(signed) < 100, 'invalid_proof', 'signature line')
        signed[m[1], signature[:4]] = signature[4:]
    def count(keys, kind, covers):
        found = 0
        for key in keys:
            name, _, typed = key.split('+', 2)
            typed = std64(typed, 'policy')
            want(len(typed) == 33 and typed[0] == kind, 'policy', 'key')
            s = signed.get((name, sha(name.encode(), b'\n', typed)[:4]))
            if s is None: continue
            want(ed_signed(typed[1:], *covers(s)), 'invalid_proof', f'signature of {name}')
            found += 1
        return found
    logs = [k['key'] for k in policy.get('logs', []) if k['origin'] == lines[0]]
    want(count(logs, 1, lambda s: (body.encode(), s)), 'invalid_proof', 'no trusted log signed the checkpoint')
    quorum, seconds = policy.get('quorum', 0), lambda s: int.from_bytes(s[:8], 'big')
    if quorum:
        cosigned = lambda s: (f'cosignature/v1\ntime {seconds(s)}\n{body}'.encode(), s[8:] if len(s) == 72 and seconds(s) * 1000 <= MAX_MS else b'')
        want(count(policy.get('witnesses', []), 4, cosigned) >= quorum, 'invalid_proof', 'too few witnesses')
    root = std64(lines[2])
    want(len(root) == 32, 'invalid_proof', 'root')
    return lines[0], int(lines[1]), root, 'witnessed' if quorum else 'final'

def leaf_hash(ms, m): return sha(b'\0PIDL\1', be64(ms), m.stub)

def tree_root(size, leaves, row):  # bundle.md
    leaves, row = sorted(leaves), [row[i:i + 32] for i in range(0, len(row), 32)]
    def root(lo, hi):
        if not leaves or leaves[0][0] >= hi:
            want(row, 'invalid_proof', 'too few hashes')
            return row.pop(0)
        if hi - lo == 1: return leaves.pop(0)[1]
        k = 1 << (hi - lo - 1).bit_length() - 1
        return sha(b'\1', root(lo, lo + k), root(lo + k, hi))
    want(leaves[-1][0] < size, 'invalid_proof', 'leaf beyond the log')
    found = root(0, size)
    want(not row, 'invalid_proof', 'too many hashes')
    return found

def path_root(h, leaf, index, size, path):  # RFC 6962, section 2.1.1
    want(index < size, 'invalid_proof', 'index')
    last, path = size - 1, list(path)
    while last:
        if index & 1 or index < last:
            want(path, 'invalid_proof', 'path')
            leaf = h(b'\1', path.pop(0), leaf) if index & 1 else h(b'\1', leaf, path.pop(0))
        index, last = index >> 1, last >> 1
    want(not path, 'invalid_proof', 'path')
    return leaf

# --- Stardust: stardust.md ------------------------------------------------------------------------------------------------------------

class Reader:
    def __init__(self, b): self.b, self.at = b, 0
    def take(self, n):
        want(self.at + n <= len(self.b), 'invalid_proof', 'layout')
        self.at += n
        return self.b[self.at - n:self.at]
    def u(self, size, low=0, high=2**64): 
        n = int.from_bytes(self.take(size), 'little')
        want(low <= n <= high, 'invalid_proof', 'layout')
        return n
    def expect(self, *octets):
        for o in octets: self.u(1, o, o)
    def address(self): self.expect(0); return self.take(32)
    def signature(self): self.expect(0); return self.take(32), self.take(64)
    def rising(self, items, strict=True):
        want(all(a < b for a, b in zip(items, items[1:])), 'invalid_proof', 'order')
        return items
    def parents(self): return self.rising([self.take(32) for _ in range(self.u(1, 1, 8))])
    def end(self): want(self.at == len(self.b) <= 32768, 'invalid_proof', 'layout')

def read_milestone(raw):
    r = Reader(raw)
    r.u(4, 7, 7)
    index, seconds = r.u(4), r.u(4)
    r.expect(2); r.take(32); r.parents(); r.take(32)
    applied = r.take(32)
    r.take(r.u(2, 0, 8192))
    for _ in range(r.u(1, 0, 1)): r.expect(1); r.take(5); r.take(r.u(2, 0, 8192))
    identity = blake(raw[4:r.at])
    signatures = [r.signature() for _ in range(r.u(1, 1, 255))]
    r.rising([key for key, _ in signatures])
    r.end()
    return dict(index=index, ms=seconds * 1000, applied=applied, id=identity, signatures=signatures)

def read_block(raw):
    r = Reader(raw)
    r.expect(2); r.parents()
    size, begin = r.u(4), r.at
    r.u(4, 6, 6)
    essence = r.at
    r.expect(1)
    block = dict(id=blake(raw), network=r.u(8), aliases={}, payload=blake(raw[begin:begin + size]))
    inputs = [(r.expect(0), r.take(32), r.u(2, 0, 127))[1:] for _ in range(r.u(2, 1, 128))]
    want(len(set(inputs)) == len(inputs), 'invalid_proof', 'an input twice')
    r.take(32)
    for place in range(r.u(2, 1, 128)): read_output(r, block, place)
    r.u(4, 0, 0)
    block['essence'], keys = blake(raw[essence:r.at]), []
    block['signed'], slots = [], r.u(2, len(inputs), len(inputs))
    for _ in range(slots):
        if r.u(1, 0, 1): want(keys[(r.u(2, 0, len(keys) - 1) if keys else 0):][:1] not in ([], [None]), 'invalid_proof', 'unlock'); keys.append(None)
        else: keys.append(r.signature()); want(keys[-1][0] not in [k for k, _ in block['signed']], 'invalid_proof', 'unlock'); block['signed'].append(keys[-1])
    want(r.at == begin + size, 'invalid_proof', 'layout')
    r.take(8); r.end()
    return block

def read_output(r, block, place):
    kind = r.u(1, 3, 4)
    r.u(8, 1); r.expect(0)
    if kind == 3: r.expect(1, 0); r.address(); r.expect(0); return
    a = dict(id=r.take(32), index=r.u(4), message=r.take(r.u(2, 0, 8192)), issuer=ZERO, metadata=b'')
    a['created'] = a['id'] == ZERO
    want(not a['created'] or a['index'] == 0, 'invalid_proof', 'alias')
    r.u(4, 0, 0); r.expect(2, 4); a['controller'] = r.address(); r.expect(5); r.address(); r.expect(0)
    kinds = []
    for _ in range(r.u(1, 0, 2)):
        kinds.append(r.u(1, 1, 2))
        if kinds[-1] == 1: a['issuer'] = r.address()
        else: a['metadata'] = r.take(r.u(2, 1, 8192))
    r.rising(kinds)
    if a['created']: a['id'] = blake(block['payload'], place.to_bytes(2, 'little'))
    block['aliases'][place] = a

def applied(m, block, milestone, index, size, path, policy):
    """The network's name and the alias of a message that a milestone applied."""
    want(path_root(blake, blake(b'\0', block['id']), index, size, path) == milestone['applied'], 'invalid_proof', 'path')
    fit = [a for a in block['aliases'].values() if (a['index'], a['message'], a['controller'], a['metadata']) ==
           (m.number, m.raw, blake(m.channel), m.channel) and a['issuer'] != ZERO]
    want(len(fit) == 1 and (m.number or fit[0]['created']), 'invalid_proof', 'alias')
    signer = blake(m.channel) if m.number else fit[0]['issuer']
    want(any(blake(k) == signer and ed_signed(k, block['essence'], s) for k, s in block['signed']), 'invalid_proof', 'transaction')
    for c in policy.get('coordinators', []):
        if int.from_bytes(blake(c['network'].encode())[:8], 'little') != block['network']: continue
        mine = [(k, s) for k, s in milestone['signatures'] if k.hex() in c['keys']]
        if len(mine) >= c['threshold'] and all(ed_signed(k, milestone['id'], s) for k, s in mine): return c['network'], fit[0]
    raise Bad('invalid_proof', 'no trusted coordinator signed the milestone')

# --- the bundle: bundle.md --------------------------------------------------------------------------------------------------------------

def row32(v): b = from64(v); want(len(b) % 32 == 0, 'malformed', 'row of hashes'); return [b[i:i + 32] for i in range(0, len(b), 32)]

def read_bundle(raw):
    want(len(raw) <= MAX_SIZE, 'malformed', 'too long')
    b = read_json(raw)
    if 'bundle' in b: want(number(b['bundle']) == 1, 'unsupported', 'version')
    proof = 'stardust' if 'stardust' in b else 'log'
    has(b, 'bundle', 'card', 'opening', 'registration', 'taps', proof, optional=('head', 'anchor')[:1 + (proof == 'log')])
    from64(b['card'], 12)
    want(isinstance(b['taps'], list) and (b['taps'] or 'head' not in b), 'malformed', 'taps')
    for e in [b['opening'], b['registration']] + b['taps']:
        if proof == 'log': has(e, 'index', 'time', 'message'); number(e['index']); number(e['time'], MAX_MS); from64(e['message'])
        else:
            has(e, 'milestone', 'index', 'size', 'path', 'output', 'block')
            number(e['milestone']); number(e['index'], 2**32 - 1); number(e['size'], 2**32 - 1); number(e['output'], 65535); row32(e['path']); from64(e['block'])
    if proof == 'log': has(b['log'], 'checkpoint', 'hashes'); text(b['log']['checkpoint']); row32(b['log']['hashes'])
    else: want(isinstance(has(b['stardust'], 'milestones')['milestones'], list), 'malformed'); [from64(m) for m in b['stardust']['milestones']]
    if 'head' in b: has(b['head'], 'time', 'signature'); number(b['head']['time'], MAX_MS); from64(b['head']['signature'], 64)
    if 'anchor' in b:
        has(b['anchor'], 'message', 'proof'); has(b['anchor']['proof'], 'kind', 'text')
        from64(b['anchor']['message']); text(b['anchor']['proof']['kind']); text(b['anchor']['proof']['text'])
    return b

def place_entries(b, raw_entries):
    """Messages with their place and time in the ledger, in the order of the file."""
    if 'log' in b: return [dict(e, m=Message(from64(e['message'])), at=e['index'], ms=e['time']) for e in raw_entries]
    raws, entries, milestones = b['stardust']['milestones'], [], []
    want(all(e['milestone'] < len(raws) for e in raw_entries), 'malformed', 'a milestone that is not there')
    for i, raw in enumerate(raws):
        milestones.append(read_milestone(from64(raw)))
        needed = any(e['milestone'] == i for e in raw_entries)
        want(needed and (i == 0 or milestones[i - 1]['index'] < milestones[i]['index']), 'malformed', 'milestones')
    for e in raw_entries:
        milestone, block = milestones[e['milestone']], read_block(from64(e['block']))
        want(e['output'] in block['aliases'], 'invalid_proof', 'output')
        entries.append(dict(e, m=Message(block['aliases'][e['output']]['message']), block_=block, milestone_=milestone,
                            at=milestone['index'] << 32 | e['index'], ms=milestone['ms']))
    return entries

def check_ledger(b, entries, policy):
    """What the ledger is called, the phase, what a head signs of it, and the alias of each channel."""
    want(len({e['at'] for e in entries}) == len(entries), 'invalid_proof', 'two messages at one place')
    if 'log' in b:
        origin, size, root, phase = open_checkpoint(b['log']['checkpoint'], policy)
        want(tree_root(size, [(e['at'], leaf_hash(e['ms'], e['m'])) for e in entries], from64(b['log']['hashes'])) == root, 'invalid_proof', 'root')
        return origin, phase, (size, root), {}
    names, aliases = set(), {}
    for e in entries:
        name, alias = applied(e['m'], e['block_'], e['milestone_'], e['index'], e['size'], row32(e['path']), policy)
        names.add(name)
        want(len(names) == 1 and aliases.setdefault(e['m'].channel, alias)['id'] == alias['id'], 'invalid_proof', 'networks or aliases')
    newest = max((e['milestone_'] for e in entries), key=lambda m: m['index'])
    return names.pop(), 'final', (newest['index'], newest['id']), aliases

def fold(b, entries, opening, registration):
    """The card after all messages, and its records that do not hold."""
    card, rejected, issuers = None, [], {}
    for e in sorted(entries, key=lambda e: e['at']):
        m = e['m']
        if card is not None and m.channel == card.channel:
            lost = card.follow(m)
            if lost: rejected.append(dict(number=m.number, **({'kind': lost[0]} if lost[0] else {}), reason=lost[1]))
        elif m.channel in issuers:
            r = read_record(m)
            if e is registration and r and r['kind'] == 'card.registered':
                card = Card(r, m.channel)
                want(card.channel not in issuers, 'not_registered', 'taps_taken')
        elif m.number == 0 and b'issuer.opened' in m.payload:
            r = read_record(m)
            if r and r['kind'] == 'issuer.opened': issuers[m.channel] = r['name']
    want(card is not None and card.id == from64(b['card']), 'not_registered', 'no registration')
    return card, rejected, issuers[opening['m'].channel]

def check_anchor(a, ledger, end, policy):
    m, kind, proof = Message(from64(a['message'])), a['proof']['kind'], a['proof']['text']
    top, _, rest = proof.partition('\n\n')
    lines = top.split('\n')
    want(len(lines) > 2 and m.public, 'invalid_proof', 'anchor')
    path = [std64(line) for line in lines[3:]]
    if kind == 'tlog':
        fields = re.fullmatch(r'c2sp\.org/tlog-proof@v1\nextra (\S+)\nindex (0|[1-9][0-9]*)', '\n'.join(lines[:3]))
        want(fields, 'invalid_proof', 'anchor')
        ms = std64(fields[1])
        name, size, root, _ = open_checkpoint(rest, policy)
        want(len(ms) == 8 and int.from_bytes(ms, 'big') <= MAX_MS and
             path_root(sha, sha(b'\0PIDL\1', ms, m.stub), int(fields[2]), size, path) == root, 'invalid_proof', 'anchor')
        ms = int.from_bytes(ms, 'big')
    else:
        fields = re.fullmatch(r'productid\.dev/stardust-proof@v1\nindex (0|[1-9][0-9]{0,9})\nsize (0|[1-9][0-9]{0,9})', '\n'.join(lines[:3]))
        objects = rest.split('\n')
        want(kind == 'stardust' and fields and len(objects) == 3 and not objects[2] and int(fields[2]) < 2**32, 'invalid_proof', 'anchor')
        milestone = read_milestone(std64(objects[0]))
        name, _ = applied(m, read_block(std64(objects[1])), milestone, int(fields[1]), int(fields[2]), path, policy)
        ms = milestone['ms']
    want(name != ledger, 'invalid_proof', 'its own anchor')
    r = read_record(m) if b'"must"' not in m.payload else read_json(m.payload)
    first = f'{ledger}\n{end[0]}\n{base64.b64encode(end[1]).decode()}\n'
    want(r and r['kind'] == 'log.checkpoint' and isinstance(r.get('checkpoint'), str) and r['checkpoint'].startswith(first), 'invalid_proof', 'anchor')
    return dict(ledger=name, channel=text64(m.channel), time=clock(ms))

def clock(ms):
    t = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)
    return t.strftime('%Y-%m-%dT%H:%M:%S') .replace(' ', '0') + (f'.{ms % 1000:03}'.rstrip('0').rstrip('.')) + 'Z'

def verify(raw, policy, now):
    """What a bundle amounts to under a policy, at a time in Unix milliseconds."""
    b = read_bundle(raw)
    entries = place_entries(b, [b['opening'], b['registration']] + b['taps'])
    opening, registration, taps = entries[0], entries[1], entries[2:]
    o, r = opening['m'], registration['m']
    o.follows(o.channel, 0, ZERO)
    r.follows(o.channel, max(r.number, 1), o.hash if r.number <= 1 else r.prev)
    in_order = lambda x, y: want(x['at'] < y['at'] and x['ms'] <= y['ms'], 'broken_chain', 'order')
    in_order(opening, registration)
    prev = ZERO
    for i, e in enumerate(taps):
        e['m'].follows(taps[0]['m'].channel, i, prev)
        if i: in_order(taps[i - 1], e)
        prev = e['m'].hash
    ledger, phase, end, aliases = check_ledger(b, entries, policy)
    want(not policy.get('issuers') or text64(o.channel) in policy['issuers'], 'untrusted_issuer', text64(o.channel))
    card, rejected, name = fold(b, entries, opening, registration)
    want(not taps or taps[0]['m'].channel == card.channel, 'wrong_channel', 'taps')
    v = dict(card=b['card'], issuer=text64(o.channel), issuerName=name, channel=text64(card.channel), ledger=ledger, phase=phase,
             registered=clock(registration['ms']), state=card.state, last=card.last, taps=card.taps, messages=len(taps))
    if card.settings: v['settings'] = card.settings
    if taps: v['newest'] = clock(taps[-1]['ms'])
    if rejected: v['rejected'] = rejected
    if 'head' in b:
        m, ms = taps[-1]['m'], b['head']['time']
        signed = b'pidc1/head\0' + be64(m.number) + m.hash + be64(ms) + be64(end[0]) + end[1]
        want(ed_signed(m.channel, signed, from64(b['head']['signature'])), 'bad_signature', 'head')
        want(ms <= now + 300_000, 'future_head', clock(ms))
        v['asOf'] = clock(ms)
    if 'anchor' in b: v.update(anchor=check_anchor(b['anchor'], ledger, end, policy), phase='anchored')
    if card.channel in aliases: v['alias'] = {k: '0x' + aliases[card.channel][k].hex() for k in ('id', 'issuer')}
    return dict(v, **in_words(v, bool(policy.get('issuers'))))

def in_words(v, named):
    proved = [f'issuer {v["issuer"]} registered the card at {v["registered"]}, and the card\'s own key asked for it',
              f'{v["ledger"]} recorded {v["messages"]} messages of tap channel {v["channel"]}, from number 0 on without a gap, each signed by the channel\'s author',
              f'the card signed {v["taps"]} taps; counters up to {v["last"]} are used up; its state is "{v["state"]}"']
    if 'rejected' in v: proved.append(f'{len(v["rejected"])} records do not hold and change nothing')
    if v['phase'] == 'witnessed': proved.append('as many witnesses as the policy asks for have cosigned the checkpoint')
    if 'anchor' in v: proved.append('{ledger} recorded the checkpoint at {time}, on channel {channel}'.format(**v['anchor']))
    if 'asOf' in v: proved.append(f'the channel\'s author signed at {v["asOf"]} that message {v["messages"] - 1} is the newest')
    trusted = [f'{v["ledger"]} gives each number of a channel once and shows everybody the same']
    if 'alias' in v: trusted.append('alias {id}, created by address {issuer}, is the tap channel\'s first on '.format(**v['alias']) + v['ledger'])
    trusted += [f'{v["ledger"]} holds no earlier registration of this card',
                'the issuer, whom the policy names, says what the card stands for' if named else 'the issuer is the one you mean: the policy names none',
                f'the channel\'s author says that nothing newer existed at {v["asOf"]}; nobody says so of the time after' if 'asOf' in v else
                'nobody says that the tap channel has nothing newer']
    return dict(proved=proved, trusted=trusted)

def read_policy(raw):  # log.md, policy
    p = read_json(raw)
    has(p, optional=('logs', 'witnesses', 'quorum', 'coordinators', 'issuers'))
    for k in p.get('logs', []): has(k, 'origin', 'key')
    for c in p.get('coordinators', []): has(c, 'network', 'keys', 'threshold'); want(1 <= c['threshold'] <= len(set(c['keys'])) == len(c['keys']), 'malformed', 'threshold')
    return p

def main():
    parser = argparse.ArgumentParser(description='Checks proof bundles offline, as docs/formats/bundle.md says.')
    parser.add_argument('--policy', required=True, help='JSON file of whom to trust (docs/formats/log.md)')
    parser.add_argument('--now', type=int, default=int(time.time() * 1000), help='the time in Unix milliseconds; default: the clock')
    parser.add_argument('files', nargs='+')
    args, code = parser.parse_args(), 0
    with open(args.policy, 'rb') as f: policy = read_policy(f.read())
    for name in args.files:
        with open(name, 'rb') as f: raw = f.read(MAX_SIZE + 1)
        try: answer = dict(holds=True, **verify(raw, policy, args.now))
        except Bad as e: answer, code = dict(holds=False, **{'class': e.args[0]}, why=e.args[-1]), 3
        print(json.dumps(answer, ensure_ascii=False))
    sys.exit(code)

if __name__ == '__main__': main()
