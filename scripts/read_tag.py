#!/usr/bin/env python3
"""Reads a card of ours through PC/SC and checks its signature: written from applet/PROTOCOL.md and docs/formats/tap.md alone, with nothing
of this project's code. The tag is read as nfcpy reads it; the NDEF message is taken apart by ndeflib, the signature checked by cryptography.

    scripts/read_tag.py [--reader NAME]

prints a line of JSON. Exit code 0: a signature that holds, or an unsigned URL or an empty tag that says so; 3: a signature that does not
hold; 1: no tag, or one that does not keep the rules. It needs Python 3, pyscard, ndeflib and cryptography."""
import argparse
import base64
import hashlib
import json
import sys
from urllib.parse import parse_qs, urlsplit

import ndef
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256
from smartcard.Exceptions import SmartcardException
from smartcard.System import readers

NDEF_APPLICATION = bytes.fromhex('D2760000850101')
PURPOSE_TAP, PURPOSE_REHEARSAL = 1, 7
STATE_LOCKED = 2
P256, RSA_2048 = 1, 2


class BadTag(Exception):
    """The tag does not keep the rules, in words."""


def want(holds, words):
    if not holds:
        raise BadTag(words)


class Card:
    """A card on a reader: sends commands and takes 9000 for success and nothing else, as phones do."""

    def __init__(self, name):
        found = [r for r in readers() if name in str(r)]
        want(found, f'no reader named {name!r}')
        self.connection = found[0].createConnection()
        self.connection.connect()

    def send(self, cla, ins, p1, p2, data=b'', le=None):
        command = [cla, ins, p1, p2] + ([len(data), *data] if data else []) + ([] if le is None else [le % 256])
        answer, sw1, sw2 = self.connection.transmit(command)
        want((sw1, sw2) == (0x90, 0x00), f'{bytes(command).hex()} is answered {sw1:02x}{sw2:02x}')
        return bytes(answer)

    def select_file(self, identifier):
        self.send(0x00, 0xA4, 0x00, 0x0C, identifier)

    def read(self, offset, length):
        answer = self.send(0x00, 0xB0, offset >> 8, offset & 0xFF, le=length)
        want(len(answer) == length, f'{len(answer)} bytes at {offset} when asked for {length}')
        return answer

    def data(self, item):
        """Reads an item by GET DATA, in as many parts as it takes."""
        value, total = b'', 1
        while len(value) < total:
            answer = self.send(0x80, 0x21, len(value) // 240, item, le=256)
            total = int.from_bytes(answer[:2], 'big')
            want(len(answer) > 2 and total > 0, 'a part without data')
            value += answer[2:]
        want(len(value) == total, f'an item of {len(value)} bytes that should have {total}')
        return value


def read_message(card, max_read):
    """Reads the file selected: its length, then chunks of at most max_read bytes."""
    length = int.from_bytes(card.read(0, 2), 'big')
    message = b''
    while len(message) < length:
        message += card.read(2 + len(message), min(max_read, length - len(message)))
    return message


def read_tag(card):
    """Returns capability container and message, read twice in one selection: the second must be the first."""
    card.send(0x00, 0xA4, 0x04, 0x00, NDEF_APPLICATION, le=256)
    card.select_file(b'\xE1\x03')
    size = int.from_bytes(card.read(0, 2), 'big')
    container = card.read(2, min(size - 2, 15))
    want(size >= 15 and container[0] >> 4 == 2 and container[5:7] == b'\x04\x06', f'a capability container {container.hex()}')
    max_read, file, capacity = int.from_bytes(container[1:3], 'big'), container[7:9], int.from_bytes(container[9:11], 'big')
    want(container[11:13] == b'\x00\xFF', 'a tag that is not read-only')
    messages = []
    for _ in range(2):
        card.select_file(file)
        messages.append(read_message(card, max_read))
    want(messages[0] == messages[1], 'two messages in one selection')
    want(len(messages[0]) + 2 <= capacity, 'a message longer than its file')
    return messages[0]


def uri_of(message):
    records = list(ndef.message_decoder(message, errors='strict'))
    want(len(records) == 1 and isinstance(records[0], ndef.UriRecord), f'{records} are not one URI')
    want(b''.join(ndef.message_encoder(records)) == message, 'another encoder writes other bytes')
    return records[0].iri


def unpadded(text):
    value = base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))
    want(base64.urlsafe_b64encode(value).rstrip(b'=').decode() == text, f'{text} is not base64url')
    return value


def holds(algorithm, key, signature, signed):
    """Says whether the signature over the bytes is the key's."""
    try:
        if algorithm == P256:
            want(len(signature) == 64, f'a signature of {len(signature)} bytes')
            der = utils.encode_dss_signature(int.from_bytes(signature[:32], 'big'), int.from_bytes(signature[32:], 'big'))
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key).verify(der, signed, ec.ECDSA(SHA256()))
        else:
            want(algorithm == RSA_2048 and len(key) == 259 and len(signature) == 256, f'a key of {len(key)} bytes')
            numbers = rsa.RSAPublicNumbers(int.from_bytes(key[256:], 'big'), int.from_bytes(key[:256], 'big'))
            numbers.public_key().verify(signature, signed, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def facts_of(card):
    message = read_tag(card)
    info = card.send(0x80, 0x01, 0x00, 0x00, le=256)
    want(len(info) == 28 and info[0] == 1, f'INFO {info.hex()}')
    state, algorithm, card_id, counter = info[3], info[4], info[8:20], int.from_bytes(info[20:24], 'big')
    if not message:
        return {'uri': None, 'signature': 'none: empty'}
    uri = uri_of(message)
    url = urlsplit(uri)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    named = unpadded(query.get('i') or url.path.rpartition('/21/')[2])
    want(named == card_id, f'a URL of {named.hex()} on the card {card_id.hex()}')
    facts = {'uri': uri, 'card': card_id.hex(), 'algorithm': {P256: 'p256', RSA_2048: 'rsa2048'}[algorithm], 'counter': int(query['c'], 16)}
    if 's' not in query:
        return {**facts, 'signature': f'none: {query["x"]}'}
    key = card.data(0x04)
    want(hashlib.sha256(bytes([algorithm]) + key).digest()[:12] == card_id, 'an id that is not of the key')
    want(facts['counter'] == counter, f'number {facts["counter"]} from a card at {counter}')
    purpose = PURPOSE_TAP if state == STATE_LOCKED else PURPOSE_REHEARSAL
    signed = b'PIDT' + bytes([1, purpose, algorithm]) + card_id + counter.to_bytes(4, 'big')
    return {**facts, 'signature': 'good' if holds(algorithm, key, unpadded(query['s']), signed) else 'bad'}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n\n')[0])
    parser.add_argument('--reader', default='', help='name of the reader, or part of it; the first one otherwise')
    arguments = parser.parse_args()
    try:
        facts = facts_of(Card(arguments.reader))
    except (BadTag, SmartcardException, ValueError, KeyError) as problem:
        print(f'read_tag: {problem or type(problem).__name__}', file=sys.stderr)
        return 1
    print(json.dumps(facts))
    return 3 if facts['signature'] == 'bad' else 0


if __name__ == '__main__':
    sys.exit(main())
