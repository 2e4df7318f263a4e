#!/usr/bin/env python3
"""Checks proof bundles offline: a second implementation, written from docs/formats alone; the comments name the pages.

    scripts/verify_bundle.py --policy policy.json bundle.json ...

prints a line of JSON for each file, what it amounts to or the class of what does not hold, and exits with 3 when one does not
hold. It needs Python 3 and the package cryptography, nothing of this project."""
import argparse, base64, datetime, hashlib, json, re, sys, time
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

MAX_SIZE, MAX_MS, MAX_INT, U32, ZERO = 64 << 20, 253402300799999, 2**53 - 1, 2**32 - 1, bytes(32)
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
class Bad(Exception): pass  # class of the refusal, and what is wrong
def want(holds, cls='malformed', what=''):
    if not holds: raise Bad(cls, what)
def proven(holds, what): want(holds, 'invalid_proof', what)
def sha(*parts): return hashlib.sha256(b''.join(parts)).digest()
def blake(*parts): return hashlib.blake2b(b''.join(parts), digest_size=32).digest()
def big(b): return int.from_bytes(b, 'big')
def be64(n): return n.to_bytes(8, 'big')
def to64(b): return base64.urlsafe_b64encode(b).rstrip(b'=').decode()
def clock(ms):
    whole = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=ms // 1000)
    return whole.isoformat() + f'.{ms % 1000:03}'.rstrip('0').rstrip('.') + 'Z'
def std64(text):
    try: b = base64.b64decode(text.encode(), validate=True)
    except ValueError: b = b''
    proven(base64.b64encode(b).decode() == text, 'base64')
    return b

# Forms of values: README.md, records.md, bundle.md. Each takes a value and returns it, or what it stands for.
def text(v): want(isinstance(v, str)); return v
def b64(v, size=None):
    want(re.fullmatch('[A-Za-z0-9_-]*', text(v)) and len(v) % 4 != 1, 'malformed', 'base64url')
    b = base64.urlsafe_b64decode(v + '=' * (-len(v) % 4))
    want(to64(b) == v and size in (None, len(b)), 'malformed', 'base64url')
    return b
def number(v, most=MAX_INT): want(type(v) is int and 0 <= v <= most, 'malformed', 'number'); return v
def u32(v): return number(v, U32)
def ms(v): return number(v, MAX_MS)
def hash32(v): return b64(v, 32)
def hash_or_empty(v): return v and hash32(v) if v != '' else v
def row(v): b = b64(v); want(len(b) % 32 == 0); return [b[i:i + 32] for i in range(0, len(b), 32)]
def one_of(*values): return lambda v: want(text(v) in values)
def counter(v): want(re.fullmatch('[0-9A-F]{8}', text(v)))
def truth(v): want(isinstance(v, bool))
def filled(v): want(v is not None)
def pair(v): want(isinstance(v, list) and len(v) == 2) or [u32(x) for x in v]
def listed(form): return lambda v: want(isinstance(v, list)) or [form(x) for x in v]
def https(v): want(re.match('([^/@?#]+([/?#]|$))', v[8:]) and v.startswith('https://') if text(v) else True)
def members(forms, closed=False):
    """The form of an object: a name that ends in _ may be missing, others too unless it is closed."""
    def form(o):
        want(isinstance(o, dict) and (not closed or set(o) <= {n.rstrip('_') for n in forms}), 'malformed', 'members')
        for name, f in forms.items():
            if name.rstrip('_') in o: f(o[name.rstrip('_')])
            else: want(name.endswith('_'), 'malformed', name)
    return form

def read_json(raw, deepest=16):  # records.md, reading a body
    def pairs(items): want(len(dict(items)) == len(items), 'malformed', 'a member twice'); return dict(items)
    def integer(t): want(len(t) < 20 and abs(int(t)) <= MAX_INT); return int(t) if t != '-0' else -0.0
    def double(t): want(abs(float(t)) != float('inf')); return float(t)
    def check(v, depth):
        if isinstance(v, str):
            want(not any(0xD800 <= ord(c) < 0xE000 or 0xFDD0 <= ord(c) < 0xFDF0 or ord(c) & 0xFFFE == 0xFFFE for c in v), 'malformed', 'text')
        if isinstance(v, (dict, list)):
            want(depth < deepest, 'malformed', 'nested too deep')
            for x in [*v, *v.values()] if isinstance(v, dict) else v: check(x, depth + 1)
    try: o = json.loads(raw.decode(), object_pairs_hook=pairs, parse_int=integer, parse_float=double, parse_constant=lambda _: want(False))
    except (ValueError, RecursionError): raise Bad('malformed', 'no JSON')
    check(o, 0)
    want(isinstance(o, dict))
    return o

def ed_signed(key, message, signature):
    try: ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError): return False
    return True

class Message:  # channel.md
    def __init__(self, raw, stub=False):
        if stub: want(len(raw) == 188, 'malformed', 'stub')
        head, middle, signature = raw[:92], raw[92:-64], raw[-64:]
        self.raw, self.channel, self.number, self.prev, self.stub = raw, head[8:40], big(head[40:48]), head[48:80], stub
        size = big(head[88:]) if stub else len(middle)
        want(156 <= len(raw) <= 8192 and head[:5] == b'PIDC\1' and head[5] <= 1 and head[6:8] == b'\0\0', 'malformed', 'message')
        want((self.number or self.prev == ZERO) and big(head[80:88]) <= MAX_MS and big(head[88:]) == size, 'malformed', 'message')
        self.public, self.payload, digest = head[5] == 0, middle, middle if stub else sha(middle)
        if self.public: want(size <= 7500, 'malformed', 'message')
        else: want(size % 64 == 48 and 112 <= size <= 48 + 7552 and (stub or big(middle[:8]) <= self.number), 'malformed', 'message')
        want(ed_signed(self.channel, b'pidc1/message\0' + head + digest, signature), 'bad_signature', f'message {self.number}')
        self.leaf = head + digest + signature
        self.hash = sha(self.leaf)
    def follows(self, channel, n, prev):
        want(self.channel == channel, 'wrong_channel', f'message {self.number}')
        want(self.number == n and self.prev == prev and self.public, 'broken_chain', f'message {n}')

# What messages say: records.md, tap.md.
ALGORITHMS = {'p256': (1, 64), 'rsa2048': (2, 256), 'ed25519': (3, 64)}
CARD, ALG = lambda v: b64(v, 12), one_of(*ALGORITHMS)
HEAD = dict(last=u32, state=one_of('in_service', 'completed', 'revoked', 'moved'), settings_=hash_or_empty)
KINDS = {
    'issuer.opened': dict(name=text, url=text, log_=text, network_=text, next=hash32),
    'card.registered': dict(
        id=CARD, alg=ALG, key=b64, prefix=text, middle=text, subject=one_of('product', 'place', 'event', 'device', 'actuator'), gtin_=text, lot_=text,
        serial_=text, taps=hash32, station=text, operator_=text, applet=members(dict(version=text, cap_=text)),
        proof=members(dict(counter=u32, nonce=b64, signature=b64))),
    'card.in_service': HEAD, 'card.configured': dict(last=HEAD['last'], state=HEAD['state'], settings=hash32),
    'tap': dict(HEAD, i=CARD, c=counter, s=b64, alg=ALG, action=text, payload_=filled, payloadHash_=hash32, skipped_=pair, previous_=hash32,
                operator_=text, retry_=text, salt_=b64),
    'settings': dict(productUrl_=https, loginRequired_=truth)}

def read_record(m):
    """The record of a message; None of one that is malformed."""
    try:
        r = read_json(m.payload)
        members(dict(kind=text, must_=truth))(r)
        members(KINDS.get(r['kind'], {}))(r)
        want(r['kind'] and not {'payload', 'payloadHash'} <= set(r) or r['kind'] not in ('', 'tap'))
        want(r['kind'] != 'issuer.opened' or r['name'] and bool(r.get('log')) != bool(r.get('network')))
    except Bad: return None
    want(r['kind'] in KINDS or not r.get('must'), 'unsupported', 'a record that must be understood')
    return r

def card_key(alg, key):
    try:
        if alg == 'p256' and len(key) == 65 and key[0] == 4: return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
        if alg == 'rsa2048' and len(key) == 259 and key[256:] == b'\1\0\1' and key[0] >= 128 and key[255] % 2:
            return rsa.RSAPublicNumbers(65537, big(key[:256])).public_key()
        return key if alg == 'ed25519' and len(key) == 32 else None
    except ValueError: return None

def card_signed(card, purpose, count, tail, s):
    octet, size = ALGORITHMS[card.alg]
    signed = b'PIDT\1' + bytes([purpose, octet]) + card.id + count.to_bytes(4, 'big') + tail
    try:
        if len(s) != size: return False
        if card.alg == 'ed25519': return ed_signed(card.key, signed, s)
        if card.alg == 'rsa2048': card.key.verify(s, signed, padding.PKCS1v15(), hashes.SHA256())
        else: card.key.verify(utils.encode_dss_signature(big(s[:32]), big(s[32:])), signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature: return False
    return True

def template_holds(prefix, middle):
    host = r'[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*(:[0-9]{1,5})?'
    if len(prefix + middle) > 120 or not prefix.startswith('https://') or not re.fullmatch(host, re.split('[/?]', prefix[8:])[0]): return False
    if not all(re.fullmatch(r"([A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*", part) for part in (prefix, middle)): return False
    behind_i, behind_21 = prefix[-3:] in ('?i=', '&i='), prefix.endswith('/21/') and '?' not in prefix
    if not (behind_i and middle[:1] == '&' or behind_21 and middle[:1] == '?') or middle[-3:] not in ('?c=', '&c='): return False
    keys = [p.split('=')[0] for p in (prefix + middle + '&s=').partition('?')[2].split('&')]
    return not any(k[:1] == '%' or k in ('v', 'k', 'n', 'x') for k in keys) and [keys.count(k) for k in 'ics'] == [behind_i, 1, 1]

class Card:
    def __init__(self, r, issuer):
        proof, key = r['proof'], b64(r['key'])
        self.id, self.alg, self.channel, self.key = b64(r['id']), r['alg'], b64(r['taps']), card_key(r['alg'], key)
        self.state, self.last, self.settings, self.taps, nonce = '', proof['counter'], '', 0, b64(proof['nonce'])
        want(template_holds(r['prefix'], r['middle']), 'not_registered', 'bad_template')
        want(self.key is not None, 'not_registered', 'bad_key')
        want(sha(bytes([ALGORITHMS[self.alg][0]]), key)[:12] == self.id, 'not_registered', 'wrong_key')
        tail = sha(len(nonce).to_bytes(2, 'big'), nonce, b'PIDR\1', issuer, self.channel)
        want(16 <= len(nonce) <= 32 and self.last and card_signed(self, 2, self.last, tail, b64(proof['signature'])), 'not_registered', 'bad_proof')
    def follow(self, m):
        """Takes the next message; kind and reason of a record that does not hold."""
        if m.stub: return '', 'removed'
        r = read_record(m)
        if r is None: return '', 'malformed'
        if self.state == 'moved': return r['kind'], 'channel_moved'
        reason = self.reason(m, r) if r['kind'] in KINDS else 'unknown_kind'
        if reason == 'unknown_kind':
            try: members(HEAD)(r)
            except Bad: return r['kind'], reason
            if r['last'] < self.last or not self.state: return r['kind'], reason
        if reason in (None, 'unknown_kind'): self.last, self.state, self.settings = r['last'], r['state'], r.get('settings', '')
        return reason and (r['kind'], reason)
    def reason(self, m, r):
        kind, c, before = r['kind'], int(r.get('c', '0'), 16), self.last
        if kind == 'card.in_service': rules = (m.number, 'not_first'), (r['last'] < before, 'wrong_last'), (r['state'] != 'in_service', 'wrong_state')
        elif kind == 'card.configured': rules = (not self.state, 'not_in_service'), (r['last'] != before, 'wrong_last'), (r['state'] != self.state, 'wrong_state')
        elif kind == 'tap': rules = (
            (self.state not in ('in_service', 'completed'), 'not_in_service'), (b64(r['i']) != self.id or r['alg'] != self.alg, 'wrong_card'),
            (c <= before, 'counter_used'), (r['last'] != c, 'wrong_last'), (r['state'] != self.state, 'wrong_state'),
            (r.get('settings', '') != self.settings, 'wrong_settings'),
            ('skipped' in r and (c == before + 1 or r['skipped'] != [before + 1, c - 1]), 'wrong_skipped'))
        else: return 'wrong_channel'
        failed = [reason for fails, reason in rules if fails]
        if failed or kind != 'tap': return failed[0] if failed else None
        s = b64(r['s'])
        if not card_signed(self, 1, c, b'', s) or self.alg == 'p256' and big(s[32:]) > P256_ORDER // 2: return 'bad_signature'
        self.taps += 1

# The log: log.md, RFC 6962, and the many leaves under one root of bundle.md.
def open_checkpoint(note, policy):
    body, _, rest = note.rpartition('\n\n')
    lines, signed = (body + '\n').split('\n')[:-1], {}
    proven(len(lines) >= 3 and all(lines) and len(note.encode()) <= 16384 and rest.endswith('\n') and not re.search('[\0-\x09\x0b-\x1f]', note), 'checkpoint')
    proven(re.fullmatch('0|[1-9][0-9]{0,18}', lines[1]) and int(lines[1]) < 2**63 and len(std64(lines[2])) == 32, 'checkpoint')
    for line in rest[:-1].split('\n'):
        m = re.fullmatch(r'— ([^\s+]+) (\S+)', line)
        s = std64(m[2]) if m else b''
        proven(len(s) > 4 and (m[1], s[:4]) not in signed and len(signed) < 100, 'signature line')
        signed[m[1], s[:4]] = s[4:]
    def count(keys, covers):
        found = 0
        for name, _, typed in (k.split('+', 2) for k in keys):
            s = signed.get((name, sha(name.encode(), b'\n', std64(typed))[:4]))
            proven(s is None or ed_signed(std64(typed)[1:], *covers(s)), 'a signature on the checkpoint')
            found += s is not None
        return found
    plain, quorum = lambda s: ((body + '\n').encode(), s), policy.get('quorum', 0)
    timed = lambda s: (f'cosignature/v1\ntime {big(s[:8])}\n{body}\n'.encode(), s[8:] if big(s[:8]) * 1000 <= MAX_MS else b'')
    proven(count([k['key'] for k in policy.get('logs', []) if k['origin'] == lines[0]], plain), 'no trusted log signed the checkpoint')
    proven(not quorum or count(policy['witnesses'], timed) >= quorum, 'too few witnesses')
    return lines[0], int(lines[1]), std64(lines[2]), 'witnessed' if quorum else 'final'

def tree_root(size, leaves, rest):
    def root(lo, hi):
        if not leaves or leaves[0][0] >= hi: proven(rest, 'too few hashes'); return rest.pop(0)
        if hi - lo == 1: return leaves.pop(0)[1]
        k = 1 << (hi - lo - 1).bit_length() - 1
        return sha(b'\1', root(lo, lo + k), root(lo + k, hi))
    proven(leaves[-1][0] < size, 'a leaf beyond the log')
    found = root(0, size)
    proven(not rest, 'too many hashes')
    return found

def path_root(h, node, index, size, path):
    proven(index < size, 'index')
    last, path = size - 1, list(path)
    while last:
        if index & 1 or index < last:
            proven(path, 'path too short')
            node = h(b'\1', path.pop(0), node) if index & 1 else h(b'\1', node, path.pop(0))
        index, last = index >> 1, last >> 1
    proven(not path, 'path too long')
    return node

# Stardust: stardust.md.
class Reader:
    def __init__(self, b): proven(len(b) <= 32768, 'too long'); self.b, self.at = b, 0
    def take(self, n): self.at += n; proven(self.at <= len(self.b), 'layout'); return self.b[self.at - n:self.at]
    def u(self, size, low=0, high=2**64): n = int.from_bytes(self.take(size), 'little'); proven(low <= n <= high, 'layout'); return n
    def expect(self, *octets): [self.u(1, o, o) for o in octets]
    def address(self): self.expect(0); return self.take(32)
    def signature(self): self.expect(0); return self.take(32), self.take(64)
    def parents(self): rising([self.take(32) for _ in range(self.u(1, 1, 8))])
    def end(self): proven(self.at == len(self.b), 'layout')
def rising(items): proven(all(a < b for a, b in zip(items, items[1:])), 'order')

class Milestone:
    def __init__(self, raw):
        r = Reader(raw)
        r.u(4, 7, 7); self.index, self.ms = r.u(4), r.u(4) * 1000
        r.expect(2); r.take(32); r.parents(); r.take(32)
        self.applied = r.take(32)
        r.take(r.u(2, 0, 8192))
        for _ in range(r.u(1, 0, 1)): r.expect(1); r.take(5); r.take(r.u(2, 0, 8192))
        self.id, self.signatures = blake(raw[4:r.at]), [r.signature() for _ in range(r.u(1, 1, 255))]
        rising([key for key, _ in self.signatures]); r.end()

class Block:
    def __init__(self, raw):
        r = Reader(raw)
        r.expect(2); r.parents(); size = r.u(4); begin = r.at
        r.u(4, 6, 6); r.expect(1)
        self.id, self.transaction, self.network, self.aliases, unlocks = blake(raw), blake(raw[begin:begin + size]), r.u(8), {}, []
        inputs = [r.u(1, 0, 0) or (r.take(32), r.u(2, 0, 127)) for _ in range(r.u(2, 1, 128))]
        proven(len(set(inputs)) == len(inputs), 'an input twice')
        r.take(32)
        for place in range(r.u(2, 1, 128)): self.output(r, place)
        r.u(4, 0, 0); self.essence = blake(raw[begin + 4:r.at])
        for _ in range(r.u(2, len(inputs), len(inputs))):
            if r.u(1, 0, 1): n = r.u(2); proven(n < len(unlocks) and unlocks[n], 'unlock'); unlocks.append(None)
            else: unlocks.append(r.signature())
        self.signed = dict(u for u in unlocks if u)
        proven(len(self.signed) == sum(u is not None for u in unlocks) and r.at == begin + size, 'layout')
        r.take(8); r.end()
    def output(self, r, place):
        kind = r.u(1, 3, 4); r.u(8, 1); r.expect(0)
        if kind == 3: r.expect(1, 0); r.address(); r.expect(0); return
        a = dict(id=r.take(32), index=r.u(4), message=r.take(r.u(2, 0, 8192)), issuer=ZERO, metadata=b'')
        a['created'] = a['id'] == ZERO
        proven(not a['created'] or a['index'] == 0, 'alias'); r.u(4, 0, 0)
        r.expect(2, 4); a['controller'] = r.address(); r.expect(5); r.address(); r.expect(0)
        kinds = [self.feature(r, a) for _ in range(r.u(1, 0, 2))]
        rising(kinds)
        if a['created']: a['id'] = blake(self.transaction, place.to_bytes(2, 'little'))
        self.aliases[place] = a
    def feature(self, r, a):
        kind = r.u(1, 1, 2)
        if kind == 1: a['issuer'] = r.address()
        else: a['metadata'] = r.take(r.u(2, 1, 8192))
        return kind

def applied(m, block, milestone, index, size, path, policy):
    """The network's name and the alias of a message that a milestone applied."""
    proven(path_root(blake, blake(b'\0', block.id), index, size, path) == milestone.applied, 'path')
    fit = [a for a in block.aliases.values() if (a['index'], a['message'], a['controller'], a['metadata']) ==
           (m.number, m.raw, blake(m.channel), m.channel) and a['issuer'] != ZERO]
    proven(len(fit) == 1 and (m.number or fit[0]['created']), 'alias')
    signer = blake(m.channel) if m.number else fit[0]['issuer']
    proven(any(blake(k) == signer and ed_signed(k, block.essence, s) for k, s in block.signed.items()), 'the transaction is not signed')
    for c in policy.get('coordinators', []):
        mine = [ed_signed(k, milestone.id, s) for k, s in milestone.signatures if k.hex() in c['keys']]
        if blake(c['network'].encode())[:8] == block.network.to_bytes(8, 'little') and all(mine) and len(mine) >= c['threshold']: return c['network'], fit[0]
    raise Bad('invalid_proof', 'no trusted coordinator signed the milestone')
# The bundle: bundle.md.
def read_bundle(raw):
    want(len(raw) <= MAX_SIZE)
    b = read_json(raw)
    want(number(b.get('bundle', 1)) == 1, 'unsupported', 'version')
    on_log = 'stardust' not in b
    entry = dict(index=number, time=ms, message=b64) if on_log else dict(milestone=number, index=u32, size=u32, path=row, output=lambda v: number(v, 65535), block=b64)
    whole, stub = members(entry, True), members(dict(index=number, time=ms, stub=b64), True)
    forms = dict(bundle=number, card=CARD, opening=whole, registration=whole, head_=members(dict(time=ms, signature=lambda v: b64(v, 64)), True),
                 taps=listed(lambda e: (stub if on_log and isinstance(e, dict) and 'stub' in e else whole)(e)))
    proof = members(dict(kind=text, text=text), True)
    more = dict(log=members(dict(checkpoint=text, hashes=row), True), anchor_=members(dict(message=b64, proof=proof), True))
    members(dict(forms, **more) if on_log else dict(forms, stardust=members(dict(milestones=listed(b64)), True)), True)(b)
    want(b['taps'] or 'head' not in b)
    want(not b['taps'] or 'stub' not in b['taps'][-1], 'malformed', 'the newest message without its payload')
    return b

class Entry:
    """A message at its place in the ledger."""
    def __init__(self, e, milestones):
        self.e, self.block, self.milestone = e, None, None
        if milestones is None: self.at, self.ms, raw = e['index'], e['time'], b64(e.get('message') or e.get('stub', ''))
        else:
            self.block, self.milestone = Block(b64(e['block'])), milestones[e['milestone']]
            proven(e['output'] in self.block.aliases, 'output')
            self.at, self.ms, raw = self.milestone.index << 32 | e['index'], self.milestone.ms, self.block.aliases[e['output']]['message']
        self.m = Message(raw, 'stub' in e)
    def before(self, other): want(self.at < other.at and self.ms <= other.ms, 'broken_chain', 'order in the ledger')

def read_milestones(b):
    if 'log' in b: return None
    used = {e['milestone'] for e in [b['opening'], b['registration']] + b['taps']}
    raw, milestones = b['stardust']['milestones'], []
    want(max(used) < len(raw), 'malformed', 'a milestone that is not there')
    for i, text_ in enumerate(raw):
        milestones.append(Milestone(b64(text_)))
        want(i in used and (i == 0 or milestones[i - 1].index < milestones[i].index), 'malformed', 'milestones')
    return milestones

def check_ledger(b, entries, milestones, policy):
    """The ledger's name, the phase, what a head names of the ledger, and each channel's alias."""
    proven(len({e.at for e in entries}) == len(entries), 'two messages at one place')
    if milestones is None:
        name, size, root, phase = open_checkpoint(b['log']['checkpoint'], policy)
        leaves = sorted((e.at, sha(b'\0PIDL\1', be64(e.ms), e.m.leaf)) for e in entries)
        proven(tree_root(size, leaves, row(b['log']['hashes'])) == root, 'root')
        return name, phase, (size, root), {}
    names, aliases = set(), {}
    for e in entries:
        name, alias = applied(e.m, e.block, e.milestone, e.e['index'], e.e['size'], row(e.e['path']), policy)
        names.add(name)
        proven(len(names) == 1 and aliases.setdefault(e.m.channel, alias)['id'] == alias['id'], 'two networks, or two aliases of a channel')
    return name, 'final', (milestones[-1].index, milestones[-1].id), aliases

def fold(entries, registration):
    """The card after all messages, its records that do not hold, and the names of issuers."""
    card, rejected, issuers = None, [], {}
    for e in sorted(entries, key=lambda e: e.at):
        if card and e.m.channel == card.channel:
            lost = card.follow(e.m)
            if lost: rejected.append(dict(number=e.m.number, **({'kind': lost[0]} if lost[0] else {}), reason=lost[1]))
        elif e.m.channel in issuers:
            r = not e.m.stub and read_record(e.m)
            if e is registration and r and r['kind'] == 'card.registered':
                card = Card(r, e.m.channel)
                want(card.channel not in issuers, 'not_registered', 'taps_taken')
        elif e.m.number == 0 and not e.m.stub and b'issuer.opened' in e.m.payload:
            r = read_record(e.m)
            if r and r['kind'] == 'issuer.opened': issuers[e.m.channel] = r['name']
    return card, rejected, issuers

def check_anchor(a, ledger, end, policy):
    m, kind, (top, _, rest) = Message(b64(a['message'])), a['proof']['kind'], a['proof']['text'].partition('\n\n')
    index = '(0|[1-9][0-9]{0,18})'
    form = {'tlog': rf'c2sp\.org/tlog-proof@v1\nextra (\S+)\nindex {index}', 'stardust': rf'productid\.dev/stardust-proof@v1\nindex {index}\nsize {index}'}
    fields, path = re.fullmatch(form.get(kind, '-') + r'((\n\S+)*)', top), []
    proven(fields and m.public, 'anchor')
    path, rest_ = [std64(line) for line in fields[3].split('\n')[1:]], rest.split('\n')
    if kind == 'tlog':
        name, size, root, _ = open_checkpoint(rest, policy)
        at = big(std64(fields[1]))
        proven(at <= MAX_MS and path_root(sha, sha(b'\0PIDL\1', be64(at), m.leaf), int(fields[2]), size, path) == root and len(std64(fields[1])) == 8, 'anchor')
    else:
        proven(len(rest_) == 3 and not rest_[2] and int(fields[2]) <= U32, 'anchor')
        milestone = Milestone(std64(rest_[0]))
        (name, _), at = applied(m, Block(std64(rest_[1])), milestone, int(fields[1]), int(fields[2]), path, policy), milestone.ms
    try: r = read_json(m.payload)
    except Bad: r = {}
    first = f'{ledger}\n{end[0]}\n{base64.b64encode(end[1]).decode()}\n'
    proven(name != ledger and r.get('kind') == 'log.checkpoint' and str(r.get('checkpoint')).startswith(first), 'anchor')
    return dict(ledger=name, channel=to64(m.channel), time=clock(at))

def verify(raw, policy, now):
    """What a bundle amounts to under a policy, at a time in Unix milliseconds."""
    b = read_bundle(raw)
    milestones = read_milestones(b)
    entries = [Entry(e, milestones) for e in [b['opening'], b['registration']] + b['taps']]
    opening, registration, taps = entries[0], entries[1], entries[2:]
    issuer, r, prev = opening.m.channel, registration.m, ZERO
    opening.m.follows(issuer, 0, ZERO)
    r.follows(issuer, max(r.number, 1), opening.m.hash if r.number <= 1 else r.prev)
    opening.before(registration)
    for i, e in enumerate(taps):
        e.m.follows(taps[0].m.channel, i, prev)
        if i: taps[i - 1].before(e)
        prev = e.m.hash
    ledger, phase, end, aliases = check_ledger(b, entries, milestones, policy)
    want(not policy.get('issuers') or to64(issuer) in policy['issuers'], 'untrusted_issuer')
    card, rejected, issuers = fold(entries, registration)
    want(card and card.id == b64(b['card']), 'not_registered', 'no registration of this card')
    want(not taps or taps[0].m.channel == card.channel, 'wrong_channel', 'taps')
    v = dict(card=b['card'], issuer=to64(issuer), issuerName=issuers[issuer], channel=to64(card.channel), ledger=ledger, phase=phase,
             registered=clock(registration.ms), state=card.state, last=card.last, taps=card.taps, messages=len(taps))
    if card.settings: v['settings'] = card.settings
    if taps: v['newest'] = clock(taps[-1].ms)
    if rejected: v['rejected'] = rejected
    if 'head' in b:
        at, m = b['head']['time'], taps[-1].m
        signed = b'pidc1/head\0' + be64(m.number) + m.hash + be64(at) + be64(end[0]) + end[1]
        want(ed_signed(m.channel, signed, b64(b['head']['signature'])), 'bad_signature', 'head')
        want(at <= now + 300_000, 'future_head')
        v['asOf'] = clock(at)
    if 'anchor' in b: v.update(anchor=check_anchor(b['anchor'], ledger, end, policy), phase='anchored')
    if card.channel in aliases: v['alias'] = {k: '0x' + aliases[card.channel][k].hex() for k in ('id', 'issuer')}
    return dict(v, holds=True, **in_words(v, policy))

def in_words(v, policy):
    removed = sum(r['reason'] == 'removed' for r in v.get('rejected', []))
    proved = [
        'issuer {issuer} registered the card at {registered}, and the card\'s own key asked for it',
        '{ledger} recorded {messages} messages of tap channel {channel}, from number 0 on without a gap, each signed by the channel\'s author',
        'the card signed {taps} taps; counters up to {last} are used up; its state is "{state}"',
        'rejected' in v and '{n} records do not hold and change nothing',
        v['phase'] == 'witnessed' and 'as many witnesses as the policy asks for have cosigned the checkpoint',
        'anchor' in v and '{anchor[ledger]} recorded the checkpoint at {anchor[time]}, on channel {anchor[channel]}',
        'asOf' in v and 'the channel\'s author signed at {asOf} that message {end} is the newest']
    trusted = [
        '{ledger} gives each number of a channel once and shows everybody the same',
        'alias' in v and 'alias {alias[id]}, created by address {alias[issuer]}, is the tap channel\'s first on {ledger}',
        '{ledger} holds no earlier registration of this card',
        'the issuer, whom the policy names, says what the card stands for' if policy.get('issuers') else 'the issuer is the one you mean: the policy names none',
        removed and f'{removed} messages whose payload is not in the bundle decided nothing',
        'the channel\'s author says that nothing newer existed at {asOf}; nobody says so of the time after' if 'asOf' in v else
        'nobody says that the tap channel has nothing newer']
    say = lambda words: [w.format(**v, n=len(v.get('rejected', [])), end=v['messages'] - 1) for w in words if w]
    return dict(proved=say(proved), trusted=say(trusted))

def main():
    parser = argparse.ArgumentParser(description='Checks proof bundles offline, as docs/formats/bundle.md says.')
    parser.add_argument('--policy', required=True, help='JSON file of whom to trust: docs/formats/log.md')
    parser.add_argument('--now', type=int, default=int(time.time() * 1000), help='the time in Unix milliseconds; default: the clock')
    parser.add_argument('files', nargs='+')
    args, code = parser.parse_args(), 0
    policy = read_json(open(args.policy, 'rb').read())
    members(dict(logs_=listed(members(dict(origin=text, key=text), True)), witnesses_=listed(text), quorum_=number, issuers_=listed(hash32),
                 coordinators_=listed(members(dict(network=text, keys=listed(text), threshold=number), True))), True)(policy)
    for name in args.files:
        with open(name, 'rb') as f: raw = f.read(MAX_SIZE + 1)
        try: answer = verify(raw, policy, args.now)
        except Bad as e: answer, code = {'holds': False, 'class': e.args[0], 'why': e.args[1]}, 3
        print(json.dumps(answer, ensure_ascii=False))
    sys.exit(code)

if __name__ == '__main__': main()
