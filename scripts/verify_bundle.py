#!/usr/bin/env python3
"""Checks proof bundles offline: a second implementation, from docs/formats alone. scripts/verify_bundle.py --policy P FILE... prints a line of
JSON for each file, its facts or the class of what does not hold, and exits with 3 when one does not hold. It needs Python 3 and cryptography."""
import argparse, base64, datetime, hashlib, json, re, sys, time
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
MAX_MS, ZERO, P256_ORDER = 253402300799999, bytes(32), 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
class Bad(Exception): pass  # class of the refusal, and what is wrong
def want(holds, cls='malformed', what=''):
    if not holds: raise Bad(cls, what)
def proven(holds, what): want(holds, 'invalid_proof', what)
sha, blake = (lambda *parts: hashlib.sha256(b''.join(parts)).digest()), (lambda *parts: hashlib.blake2b(b''.join(parts), digest_size=32).digest())
big, be64, to64 = (lambda b: int.from_bytes(b, 'big')), (lambda n: n.to_bytes(8, 'big')), (lambda b: base64.urlsafe_b64encode(b).rstrip(b'=').decode())
clock = lambda t: (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=t // 1000)).isoformat() + f'.{t % 1000:03}'.rstrip('0').rstrip('.') + 'Z'
def std64(t):
    b = base64.b64decode(t) if re.fullmatch('([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2,3}={1,2})?', t) and len(t) % 4 == 0 else b''
    return proven(base64.b64encode(b).decode() == t, 'base64') or b
def ed_signed(key, message, signature):
    try: return ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, message) is None
    except (InvalidSignature, ValueError): return False
text, number = (lambda v: want(isinstance(v, str)) or v), (lambda v, most=2**53 - 1: want(type(v) is int and 0 <= v <= most, 'malformed', 'number') or v)  # from here on forms of values: each refuses one, or returns it or what it stands for
def b64(v, size=None):
    b = base64.urlsafe_b64decode(v + '=' * (-len(v) % 4)) if re.fullmatch('[A-Za-z0-9_-]*', text(v)) and len(v) % 4 != 1 else b''
    return want(to64(b) == v and size in (None, len(b)), 'malformed', 'base64url') or b
u16, u32, ms, truth = (lambda v: number(v, 2**16 - 1)), (lambda v: number(v, 2**32 - 1)), (lambda v: number(v, MAX_MS)), (lambda v: want(isinstance(v, bool)))
sized, one_of, matching = (lambda n: lambda v: b64(v, n)), (lambda *values: lambda v: want(text(v) in values)), (lambda pattern: lambda v: want(re.fullmatch(pattern, text(v))))
listed, row = (lambda form, size=None: lambda v: want(isinstance(v, list) and size in (None, len(v))) or [form(x) for x in v]), (lambda v: want(len(b64(v)) % 32 == 0) or [b64(v)[i:i + 32] for i in range(0, len(b64(v)), 32)])
def members(forms, closed=False):  # of an object: a name that ends in _ may be missing, others may be there unless it is closed
    names = {n.rstrip('_'): n for n in forms}
    def form(o):
        want(isinstance(o, dict) and not (closed and set(o) - set(names)) and all(n in o or names[n] != n for n in names), 'malformed', 'members')
        for n in names: n in o and forms[names[n]](o[n])
    return form
def part(**forms): return members(forms, True)
def read_json(raw):  # records.md, reading a body
    def pairs(items): return want(len(dict(items)) == len(items), 'malformed', 'a member twice') or dict(items)
    def number_of(t, kind): return want(abs(float(t)) < (2**53 if kind is int else float('inf'))) or (kind(t) if t != '-0' else -0.0)
    def check(v, depth):
        want(not isinstance(v, str) or not re.search('[\ud800-\udfff\ufdd0-\ufdef]', v) and all(ord(c) & 0xFFFE != 0xFFFE for c in v), 'malformed', 'text')
        if isinstance(v, (dict, list)): want(depth < 16); [check(x, depth + 1) for x in ([*v, *v.values()] if isinstance(v, dict) else v)]
    try: o = json.loads(raw.decode(), object_pairs_hook=pairs, parse_int=lambda t: number_of(t, int), parse_float=lambda t: number_of(t, float), parse_constant=lambda _: want(False))
    except (ValueError, RecursionError): raise Bad('malformed', 'no JSON')
    return check(o, 0) or want(isinstance(o, dict)) or o
class Message:  # channel.md
    def __init__(self, raw, stub=False):
        head, middle, signature = raw[:92], raw[92:-64], raw[-64:]
        size, digest = (big(head[88:]), middle) if stub else (len(middle), sha(middle))
        self.raw, self.channel, self.number, self.prev, self.stub = raw, head[8:40], big(head[40:48]), head[48:80], stub
        want(len(raw) == 188 if stub else 156 <= len(raw) <= 8192, 'malformed', 'size of a message')
        self.public, self.payload, self.leaf, self.hash = head[5] == 0, middle, head + digest + signature, sha(head, digest, signature)
        want(head[:5] == b'PIDC\1' and head[5] <= 1 and head[6:8] == b'\0\0' and (self.number or self.prev == ZERO), 'malformed', 'head')
        want(big(head[80:88]) <= MAX_MS and big(head[88:]) == size, 'malformed', 'head')
        want(size <= 7500 if self.public else size % 64 == 48 and 112 <= size <= 7600 and (stub or big(middle[:8]) <= self.number), 'malformed', 'payload')
        want(ed_signed(self.channel, b'pidc1/message\0' + head + digest, signature), 'bad_signature', f'message {self.number}')
    def follows(self, channel, n, prev):
        want(self.channel == channel, 'wrong_channel', f'message {self.number}')
        want(self.number == n and self.prev == prev and self.public, 'broken_chain', f'message {n}')
ALGORITHMS = {'p256': (1, 64), 'rsa2048': (2, 256), 'ed25519': (3, 64)}  # from here on tap.md and records.md
ALG, LABEL, GOES_ON, STATE, NAME = one_of(*ALGORITHMS), matching('[^\0-\x1f\x7f]{1,200}'), *(one_of('in_service', 'completed', 'revoked', *more) for more in ([], ['moved'])), matching('(?s:.+)')
HEAD, PROOF, OPENED = dict(last=u32, state=STATE, settings_=lambda v: v == '' or b64(v, 32)), dict(counter=u32, nonce=b64, signature=b64), dict(name=text, url=text, log_=text, network_=text, next=sized(32))
FIELD = members(dict(name=matching('[a-z][a-zA-Z0-9]{0,31}'), type=one_of('text', 'number', 'choice', 'date', 'checkbox'), options_=listed(LABEL), required_=truth, maxLength_=u32,
                     label=lambda v: LABEL(v) if isinstance(v, str) else want(isinstance(v, dict) and v) or [matching('[a-z]{2,3}')(k) or LABEL(v[k]) for k in v]))
def form_of(v):
    want(listed(FIELD)(v) is not None and len(v) <= 20 and len({f['name'] for f in v}) == len(v))
    for f, o in ((f, f.get('options', [])) for f in v): want((f['type'] == 'choice') == bool(o) and len(set(o)) == len(o) <= 50 and f.get('maxLength', 0) <= 1000 * (f['type'] == 'text'))
KINDS = {
    'issuer.opened': OPENED, 'issuer.succeeded': dict(OPENED, previous=sized(32), opening=b64, reason=one_of('history_lost'), since=lambda v: want(type(v) is int and 0 < v <= MAX_MS)),
    'card.registered': dict(
        id=sized(12), alg=ALG, key=b64, prefix=text, middle=text, taps=sized(32), subject=one_of('product', 'place', 'event', 'device', 'actuator'),
        gtin_=text, lot_=text, serial_=text, station=text, operator_=text, applet=members(dict(version=text, cap_=text)), proof=members(PROOF)),
    'issuer.moved': dict(to=NAME), 'issuer.continued': {'from': NAME, 'evidence': sized(32)},
    'channel.moved': dict(HEAD, state=one_of('moved'), to=NAME, was=GOES_ON), 'channel.continued': {**HEAD, 'state': GOES_ON, 'from': NAME, 'evidence': sized(32)},
    'card.revoked': dict(HEAD, state=one_of('revoked'), reason_=text, by_=text), 'card.associated': dict(HEAD, device=text, by_=text),
    'card.in_service': HEAD, 'card.reinstated': dict(HEAD, proof=members(PROOF)), 'card.carried': dict(registration=b64, taps=sized(32), last=u32), 'card.configured': dict(last=u32, state=STATE, settings=sized(32)),
    'tap': dict(HEAD, i=sized(12), c=matching('[0-9A-F]{8}'), s=b64, alg=ALG, action=text, payload_=lambda v: want(v is not None), payloadHash_=sized(32),
                skipped_=listed(u32, 2), previous_=sized(32), operator_=text, retry_=text, salt_=b64),
    'settings': dict(productUrl_=matching('(https://[^/@?#]+([/?#].*)?)?'), loginRequired_=truth, form_=form_of)}
def read_record(m, skip=False):  # the record of a message; None of one that is malformed
    try:
        r = read_json(m.payload)
        members(dict(kind=text, must_=truth))(r) or members(KINDS.get(r['kind'], {}))(r)
        want(r['kind'] and not (r['kind'] == 'tap' and {'payload', 'payloadHash'} <= set(r))); want(r['kind'] not in ('issuer.opened', 'issuer.succeeded') or r['name'] and bool(r.get('log')) != bool(r.get('network')))
    except Bad: return None
    return want(skip or r['kind'] in KINDS or not r.get('must'), 'unsupported', 'a record that must be understood') or r
def template_holds(prefix, middle):
    host = r'[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*(:[0-9]{1,5})?'
    if len(prefix + middle) > 120 or not prefix.startswith('https://') or not re.fullmatch(host, re.split('[/?]', prefix[8:])[0]): return False
    if not all(re.fullmatch(r"([A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*", part) for part in (prefix, middle)): return False
    behind_i, behind_21 = prefix[-3:] in ('?i=', '&i='), prefix.endswith('/21/') and '?' not in prefix
    if not (behind_i and middle[:1] == '&' or behind_21 and middle[:1] == '?') or middle[-3:] not in ('?c=', '&c='): return False
    keys = [p.split('=')[0] for p in (prefix + middle + '&s=').partition('?')[2].split('&')]
    return not any(k[:1] == '%' or k in ('v', 'k', 'n', 'x') for k in keys) and [keys.count(k) for k in 'ics'] == [behind_i, 1, 1]
def card_key(alg, key):
    rsa_key = len(key) == 259 and key[256:] == b'\1\0\1' and key[0] >= 128 and key[255] % 2
    try: return (ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key) if alg == 'p256' and len(key) == 65 else
                 rsa.RSAPublicNumbers(65537, big(key[:256])).public_key() if alg == 'rsa2048' and rsa_key else key if alg == 'ed25519' and len(key) == 32 else None)
    except ValueError: return None
class Card:
    def __init__(self, r, issuer):
        proof, key, nonce = r['proof'], b64(r['key']), b64(r['proof']['nonce'])
        self.id, self.alg, self.channel, self.key = b64(r['id']), r['alg'], b64(r['taps']), card_key(r['alg'], key)
        self.state, self.last, self.settings, self.taps, self.place, self.was = '', proof['counter'], '', 0, '', ''
        tail = sha(len(nonce).to_bytes(2, 'big'), nonce, b'PIDR\1', issuer, self.channel)
        want(template_holds(r['prefix'], r['middle']), 'not_registered', 'bad_template')
        want(self.key is not None and sha(bytes([ALGORITHMS[self.alg][0]]), key)[:12] == self.id, 'not_registered', 'bad_key')
        want(16 <= len(nonce) <= 32 and self.last and self.signed(2, self.last, tail, b64(proof['signature'])), 'not_registered', 'bad_proof')
    def signed(self, purpose, count, tail, s):
        (octet, size), key = ALGORITHMS[self.alg], self.key
        message = b'PIDT\1' + bytes([purpose, octet]) + self.id + count.to_bytes(4, 'big') + tail
        if len(s) != size or self.alg == 'ed25519': return len(s) == size and ed_signed(key, message, s)
        try: return (key.verify(s, message, padding.PKCS1v15(), hashes.SHA256()) if self.alg == 'rsa2048' else
                     key.verify(utils.encode_dss_signature(big(s[:32]), big(s[32:])), message, ec.ECDSA(hashes.SHA256()))) is None
        except InvalidSignature: return False
    def follow(self, m):  # takes the next message; kind and reason of a record that does not hold
        if (r := None if m.stub else read_record(m)) is None: return '', 'removed' if m.stub else 'malformed'
        kind, head = r['kind'], (r.get('last'), r.get('state'), r.get('settings', ''))
        rules = (self.state == 'moved' and not (self.was and kind == 'channel.continued'), 'channel_moved'), *self.rules(m, r, kind, *head)
        reason = next((reason for fails, reason in rules if fails), None)
        try: carried = reason == 'unknown_kind' and (members(HEAD)(r) or head[0] >= self.last and self.state)
        except Bad: carried = False
        if carried or not reason: self.last, self.state, self.settings = head
        if kind[:8] == 'channel.' and not reason: self.place, self.was = (r['to'], r['was']) if kind == 'channel.moved' else (self.place, '')
        self.taps += kind == 'tap' and not reason
        return reason and (kind, reason)
    def rules(self, m, r, kind, last, state, settings):
        out, wrong_state, same = 'not_in_service', (state != self.state, 'wrong_state'), (settings != self.settings, 'wrong_settings')
        if kind == 'card.in_service': return (m.number, 'not_first'), (last < self.last, 'wrong_last'), (state != 'in_service', 'wrong_state')
        if kind in ('card.configured', 'card.associated'): return (not self.state, out), (last != self.last, 'wrong_last'), wrong_state, (kind == 'card.associated' and same[0], same[1])
        if kind == 'card.revoked': return (self.state in ('', 'revoked'), out), (last < self.last, 'wrong_last')
        if kind == 'channel.moved': return (not self.state, out), (last != self.last, 'wrong_last'), (r['was'] != self.state, 'wrong_state'), same
        if kind == 'channel.continued': return (not self.was, 'not_moved'), (last != self.last, 'wrong_last'), (state != self.was, 'wrong_state'), same
        if kind != 'tap': return (kind == 'card.reinstated', 'not_lost'), (kind not in KINDS, 'unknown_kind'), (True, 'wrong_channel')
        c, s, gap = int(r['c'], 16), b64(r['s']), [self.last + 1, int(r['c'], 16) - 1]
        return ((self.state not in ('in_service', 'completed'), out), (b64(r['i']) != self.id or r['alg'] != self.alg, 'wrong_card'),
                (c <= self.last, 'counter_used'), (last != c, 'wrong_last'), wrong_state, same,
                (r.get('skipped', gap) != gap or 'skipped' in r and c == self.last + 1, 'wrong_skipped'),
                (not self.signed(1, c, b'', s) or self.alg == 'p256' and big(s[32:]) > P256_ORDER // 2, 'bad_signature'))
def open_checkpoint(note, policy):  # log.md; origin, size, root and phase
    (body, _, rest), signed, quorum = note.rpartition('\n\n'), {}, policy.get('quorum', 0)
    proven(len(lines := body.split('\n')) >= 3 and all(lines) and rest.endswith('\n') and not re.search('[\0-\x09\x0b-\x1f]', note), 'checkpoint')
    proven(len(note.encode()) <= 16384 and re.fullmatch('0|[1-9][0-9]{0,18}', lines[1]) and int(lines[1]) < 2**63 and len(std64(lines[2])) == 32, 'checkpoint')
    for line in rest[:-1].split('\n'):
        name, s = (m[1], std64(m[2])) if (m := re.fullmatch(r'— ([^\s+]+) (\S+)', line)) else ('', b'')
        proven(len(s) > 4 and (name, s[:4]) not in signed and len(signed) < 100, 'signature line')
        signed[name, s[:4]] = s[4:]
    def count(keys, covers):
        found = [(std64(k), signed.get((name, sha(name.encode(), b'\n', std64(k))[:4]))) for name, _, k in (key.split('+', 2) for key in keys)]
        proven(all(ed_signed(k[1:], *covers(s)) for k, s in found if s), 'a signature on the checkpoint')
        return len({k[1:] for k, s in found if s is not None})  # who stands there twice counts once
    cosigned = lambda s: (f'cosignature/v1\ntime {big(s[:8])}\n{body}\n'.encode(), s[8:] if big(s[:8]) * 1000 <= MAX_MS else b'')
    proven(count([k['key'] for k in policy.get('logs', []) if k['origin'] == lines[0]], lambda s: (f'{body}\n'.encode(), s)), 'not signed by a trusted log')
    proven(not quorum or count(policy['witnesses'], cosigned) >= quorum, 'too few witnesses')
    return lines[0], int(lines[1]), std64(lines[2]), 'witnessed' if quorum else 'final'
def tree_root(size, leaves, rest):  # bundle.md, on a log
    def root(lo, hi):
        if not leaves or leaves[0][0] >= hi: return proven(rest, 'too few hashes') or rest.pop(0)
        if hi - lo == 1: return leaves.pop(0)[1]
        return sha(b'\1', root(lo, lo + (k := 1 << (hi - lo - 1).bit_length() - 1)), root(lo + k, hi))
    found = proven(leaves[-1][0] < size, 'a leaf beyond the log') or root(0, size)
    return proven(not rest, 'too many hashes') or found
def path_root(h, node, index, size, path):  # RFC 6962
    if proven(index < size and (size > 1) == bool(path), 'path') or size == 1: return node
    k = 1 << (size - 1).bit_length() - 1
    return h(b'\1', path_root(h, node, index, k, path[:-1]), path[-1]) if index < k else h(b'\1', path[-1], path_root(h, node, index - k, size - k, path[:-1]))
def rising(items): proven(all(a < b for a, b in zip(items, items[1:])), 'order')
class Reader:  # stardust.md
    def __init__(self, b): proven(len(b) <= 32768, 'too long'); self.b, self.at = b, 0
    def take(self, n): self.at += n; proven(self.at <= len(self.b), 'layout'); return self.b[self.at - n:self.at]
    def u(self, size, low=0, high=2**64): n = int.from_bytes(self.take(size), 'little'); proven(low <= n <= high, 'layout'); return n
    def octets(self, *octets): proven(self.take(len(octets)) == bytes(octets), 'layout')
    def address(self): self.octets(0); return self.take(32)
    def signature(self): self.octets(0); return self.take(32), self.take(64)
    def parents(self): rising([self.take(32) for _ in range(self.u(1, 1, 8))])
class Milestone:
    def __init__(self, raw):
        r = Reader(raw); self.index, self.ms, _ = r.octets(7, 0, 0, 0) or r.u(4), r.u(4) * 1000, r.octets(2)
        r.take(32); r.parents(); r.take(32); self.applied = r.take(32); r.take(r.u(2, 0, 8192)); _ = [r.octets(1) or r.take(5) and r.take(r.u(2, 0, 8192)) for _ in range(r.u(1, 0, 1))]
        self.id, self.signatures = blake(raw[4:r.at]), [r.signature() for _ in range(r.u(1, 1, 255))]; rising([key for key, _ in self.signatures]); proven(r.at == len(raw), 'layout')
class Block:
    def __init__(self, raw):
        r = Reader(raw); r.octets(2); r.parents(); end = r.u(4) + r.at; begin = r.at; r.octets(6, 0, 0, 0, 1)
        self.id, self.transaction, self.network = blake(raw), blake(raw[begin:end]), r.u(8)
        inputs, _ = [r.octets(0) or (r.take(32), r.u(2, 0, 127)) for _ in range(r.u(2, 1, 128))], r.take(32)
        self.aliases = {place: a for place in range(r.u(2, 1, 128)) if (a := self.output(r, place))}
        r.octets(0, 0, 0, 0); self.essence, unlocks = blake(raw[begin + 4:r.at]), []
        for _ in range(r.u(2, len(inputs), len(inputs))): unlocks.append(r.u(2, 0, len(unlocks)) if r.u(1, 0, 1) else r.signature())
        proven(all(isinstance(u, tuple) or isinstance([*unlocks, 0][u], tuple) and u < i for i, u in enumerate(unlocks)), 'unlocks')
        self.signed = [u for u in unlocks if isinstance(u, tuple)]; proven(len(dict(self.signed)) == len(self.signed) and len(set(inputs)) == len(inputs) and r.at == end == len(raw) - 8, 'layout')
    def output(self, r, place):
        kind, _ = r.u(1, 3, 4), (r.u(8, 1), r.octets(0))
        if kind == 3: r.octets(1, 0); r.address(); return r.octets(0)
        a = dict(id=r.take(32), index=r.u(4), message=r.take(r.u(2, 0, 8192)))
        r.octets(0, 0, 0, 0, 2, 4); a['controller'] = r.address(); r.octets(5); r.address(); r.octets(0)
        features = [(k, r.address() if k == 1 else r.take(r.u(2, 1, 8192))) for k in (r.u(1, 1, 2) for _ in range(r.u(1, 0, 2)))]
        rising([k for k, _ in features]); proven(a['id'] != ZERO or a['index'] == 0, 'alias')
        a.update(created=a['id'] == ZERO, issuer=dict(features).get(1, ZERO), metadata=dict(features).get(2))
        return dict(a, id=blake(self.transaction, place.to_bytes(2, 'little'))) if a['created'] else a
def applied(m, block, milestone, index, size, path, policy):  # the network's name and the alias of a message that a milestone applied
    proven(path_root(blake, blake(b'\0', block.id), index, size, path) == milestone.applied, 'path')
    proven(size == 1 + max([index] + [(index >> k | 1) << k for k in range(32) if index >> k & 1 == 0 and index >> k < size - 1 >> k]), 'path')
    state = (m.number, m.raw, blake(m.channel), m.channel)
    fit = [a for a in block.aliases.values() if (a['index'], a['message'], a['controller'], a['metadata']) == state and a['issuer'] != ZERO]
    proven(len(fit) == 1 and (m.number or fit[0]['created']), 'alias')
    signer = blake(m.channel) if m.number else fit[0]['issuer']; proven(any(blake(k) == signer and ed_signed(k, block.essence, s) for k, s in block.signed), 'the transaction is not signed')
    for c in policy.get('coordinators', []):
        mine = [ed_signed(k, milestone.id, s) for k, s in milestone.signatures if k.hex() in c['keys']]
        if blake(c['network'].encode())[:8] == block.network.to_bytes(8, 'little') and all(mine) and len(mine) >= max(1, c['threshold']): return c['network'], fit[0]
    raise Bad('invalid_proof', 'no trusted coordinator signed the milestone')
def read_bundle(raw):  # bundle.md
    b = want(len(raw) <= 64 << 20) or read_json(raw)
    want(number(b.get('bundle', 1)) == 1, 'unsupported', 'version')
    def proofs(o):  # the members that prove messages, and the form of a message with its payload
        if not isinstance(o, dict) or 'stardust' not in o: return dict(log=part(checkpoint=text, hashes=row)), part(index=number, time=ms, message=b64)
        return dict(stardust=part(milestones=listed(b64))), part(milestone=number, index=u32, size=u32, path=row, output=u16, block=b64)
    (proof, whole), stub = proofs(b), part(index=number, time=ms, stub=b64)
    anchor = dict(anchor_=lambda a: part(message=proofs(a)[1], **proofs(a)[0])(a)) if 'log' in proof else {}
    taps = listed(lambda e: (stub if 'log' in proof and isinstance(e, dict) and 'stub' in e else whole)(e))
    part(bundle=number, card=sized(12), opening=whole, registration=whole, taps=taps, head_=part(time=ms, signature=sized(64)), **proof, **anchor)(b)
    want('stub' not in b['taps'][-1] if b['taps'] else 'head' not in b, 'malformed', 'the newest message')
    return b
class Entry:  # a message at its place in the ledger
    def __init__(self, e, milestones):
        self.at, self.ms = e['index'], e.get('time')
        if 'block' in e:
            self.block, self.milestone, self.path = Block(b64(e['block'])), milestones[e['milestone']], (e['index'], e['size'], row(e['path']))
            proven(e['output'] in self.block.aliases, 'output')
            self.at, self.ms = self.milestone.index << 32 | e['index'], self.milestone.ms
        self.m = Message(self.block.aliases[e['output']]['message'] if 'block' in e else b64(e.get('message') or e.get('stub', '')), 'stub' in e)
    def before(self, other): want(self.at < other.at and self.ms <= other.ms, 'broken_chain', 'order in the ledger')
def read_entries(b, raw):
    used, found = {e.get('milestone', -1) for e in raw}, []
    want(max(used) < len(b.get('stardust', {}).get('milestones', [])), 'malformed', 'a milestone that is not there')
    for i, m in enumerate(b.get('stardust', {}).get('milestones', [])):
        found.append(Milestone(b64(m)))
        want(i in used and (i == 0 or found[i - 1].index < found[i].index), 'malformed', 'milestones')
    return [Entry(e, found) for e in raw]
def check_ledger(b, entries, policy):  # the ledger's name, the phase, what a head names of it, each channel's alias
    proven(len({e.at for e in entries}) == len(entries), 'two messages at one place')
    if 'log' in b:
        name, size, root, phase = open_checkpoint(b['log']['checkpoint'], policy)
        leaves = sorted((e.at, sha(b'\0PIDL\1', be64(e.ms), e.m.leaf)) for e in entries)
        proven(tree_root(size, leaves, row(b['log']['hashes'])) == root, 'root')
        return name, phase, (size, root), {}
    aliases, found = {}, [(e.m.channel, applied(e.m, e.block, e.milestone, *e.path, policy)) for e in entries]
    for channel, (name, alias) in found:
        proven(name == found[0][1][0] and aliases.setdefault(channel, alias)['id'] == alias['id'], 'two networks, or two aliases of a channel')
    last = max((e.milestone for e in entries), key=lambda m: m.index); return name, 'final', (last.index, last.id), aliases
def fold(entries, registration):  # the card after all messages, its records that do not hold, the names of issuers
    card, rejected, issuers = None, [], {}
    for m in (e.m for e in sorted(entries, key=lambda e: e.at)):
        if card and m.channel == card.channel:
            kind, reason = card.follow(m) or ('', '')
            if reason: rejected.append(dict(number=m.number, **({'kind': kind} if kind else {}), reason=reason))
        elif not m.stub:
            r, opened = read_record(m, m.channel not in issuers) or {'kind': ''}, m.channel in issuers; want(m.number or m.channel != registration.channel or r['kind'] != 'issuer.succeeded', 'unsupported', 'an issuer whose history was lost')
            if m.number == 0 and r['kind'] == 'issuer.opened': issuers[m.channel] = r['name']
            if opened and m is registration and r['kind'] == 'card.registered': card = Card(r, m.channel)
            want(not card or card.channel not in issuers, 'not_registered', 'taps_taken')
    return card, rejected, issuers
def check_anchor(a, ledger, end, policy):
    entry, = entries = read_entries(a, [a['message']])
    name, first = check_ledger(a, entries, policy)[0], f'{ledger}\n{end[0]}\n{base64.b64encode(end[1]).decode()}\n'
    r = entry.m.public and read_record(entry.m, True) or {}
    proven(name != ledger and r.get('kind') == 'log.checkpoint' and str(r.get('checkpoint')).startswith(first), 'anchor')
    return dict(ledger=name, channel=to64(entry.m.channel), time=clock(entry.ms))
def verify(raw, policy, now):  # what a bundle amounts to under a policy, at a time in Unix milliseconds
    b, prev = read_bundle(raw), ZERO
    opening, registration, *taps = entries = read_entries(b, [b['opening'], b['registration']] + b['taps'])
    issuer, r = opening.m.channel, registration.m; opening.m.follows(issuer, 0, ZERO)
    r.follows(issuer, max(r.number, 1), opening.m.hash if r.number <= 1 else r.prev); opening.before(registration)
    for i, e in enumerate(taps):
        prev = e.m.follows(taps[0].m.channel, i, prev) or e.m.hash
        if i: taps[i - 1].before(e)
    ledger, phase, end, aliases = check_ledger(b, entries, policy); want(not policy.get('issuers') or to64(issuer) in policy['issuers'], 'untrusted_issuer')
    card, rejected, issuers = fold(entries, r)
    want(card and card.id == b64(b['card']), 'not_registered', 'no registration of this card')
    want(not taps or taps[0].m.channel == card.channel, 'wrong_channel', 'taps')
    at, anchor, state = b['head']['time'] if 'head' in b else None, None, card.state if card.place in ('', ledger) else 'moved'
    if 'head' in b:
        signed = b'pidc1/head\0' + be64(taps[-1].m.number) + prev + be64(at) + be64(end[0]) + end[1]
        want(ed_signed(card.channel, signed, b64(b['head']['signature'])), 'bad_signature', 'head'); want(at <= now + 300_000, 'future_head')
    if 'anchor' in b: anchor, phase = check_anchor(b['anchor'], ledger, end, policy), 'anchored'
    some = dict(newest=taps and clock(taps[-1].ms), settings=card.settings, movedTo=state == 'moved' and card.place, rejected=rejected, anchor=anchor, asOf=at is not None and clock(at),
                alias={k: '0x' + v.hex() for k, v in aliases.get(card.channel, {}).items() if k in ('id', 'issuer')})
    return dict(holds=True, card=b['card'], issuer=to64(issuer), issuerName=issuers[issuer], channel=to64(card.channel), ledger=ledger, phase=phase,
                registered=clock(registration.ms), state=state, last=card.last, taps=card.taps, messages=len(taps), **{k: some[k] for k in some if some[k]})
def main():
    parser, code = argparse.ArgumentParser(), 0
    parser.add_argument('--policy', required=True, help='JSON file of whom to trust: docs/formats/log.md')
    parser.add_argument('--now', type=int, default=int(time.time() * 1000), help='the time in Unix milliseconds; default: the clock')
    args = parser.add_argument('files', nargs='+') and parser.parse_args()
    policy, network = read_json(open(args.policy, 'rb').read()), part(network=text, keys=listed(text), threshold=number)
    part(logs_=listed(part(origin=text, key=text)), witnesses_=listed(text), quorum_=number, coordinators_=listed(network), issuers_=listed(sized(32)))(policy)
    for name in args.files:
        try: answer = verify(open(name, 'rb').read((64 << 20) + 1), policy, args.now)
        except Bad as e: answer, code = {'holds': False, 'class': e.args[0], 'why': e.args[1]}, 3
        print(json.dumps(answer, ensure_ascii=False))
    sys.exit(code)
if __name__ == '__main__': main()
