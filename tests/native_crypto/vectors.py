"""Writes vectors.json: signatures by OpenSSL, and what forgers, broken signers and lenient readers make of
them. New keys each time, whose private halves nobody keeps. Needs `cryptography`, as mint.py does."""

import json
import pathlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
# DigestInfo up to the digest (RFC 8017 section 9.2, note 1).
PREFIXES = {
    "256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
ORDERS = {
    "256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "512": 0x1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409,
}
CURVES = {"256": ec.SECP256R1(), "384": ec.SECP384R1(), "512": ec.SECP521R1()}
MESSAGE = b"eyJhbGciOiJub25lIn0.e30"


def digest(size, message):
    of = hashes.Hash(HASHES[size]())
    of.update(message)
    return of.finalize()


def flipped(signature, at, bit=1):
    changed = bytearray(signature)
    changed[at] ^= bit
    return bytes(changed)


def forms(good):
    """What is wrong with every kind of signature."""
    yield "nothing", b"", False
    yield "the first byte alone", good[:1], False
    yield "the first bit", flipped(good, 0, 0x80), False
    yield "a bit in the middle", flipped(good, len(good) // 2), False
    yield "the last bit", flipped(good, -1), False
    yield "a byte too few", good[:-1], False
    yield "a byte too few before", good[1:], False
    yield "a zero behind", good + b"\0", False
    yield "a zero before", b"\0" + good, False
    yield "zeros only", bytes(len(good)), False
    yield "ones only", b"\xff" * len(good), False
    yield "twice", good + good, False


def rsa_cases(key, size):
    numbers = key.private_numbers()
    n, d = numbers.public_numbers.n, numbers.d
    length = (n.bit_length() + 7) // 8
    hash = HASHES[size]()
    sign = lambda message: key.sign(message, padding.PKCS1v15(), hash)
    good = sign(MESSAGE)
    number = int.from_bytes(good, "big")
    written = lambda value: value.to_bytes(length, "big")
    raw = lambda block: written(pow(int.from_bytes(block, "big"), d, n))

    def block(info, kind=1, fill=0xFF, tail=b""):
        filled = length - 3 - len(info) - len(tail)
        return bytes([0, kind]) + bytes([fill]) * filled + b"\0" + info + tail

    of = digest(size, MESSAGE)
    yield "good", good, True
    assert raw(block(PREFIXES[size] + of)) == good
    yield from forms(good)
    yield "the modulus less it", written(n - number), False
    if (number + n).bit_length() <= 8 * length:
        yield "the modulus more than it", written(number + n), False
    yield "the modulus", written(n), False
    yield "the modulus less one", written(n - 1), False
    yield "one", written(1), False
    yield "of another message", sign(MESSAGE + b"x"), False
    for other in HASHES:
        if other != size:
            yield f"over SHA-{other}", key.sign(MESSAGE, padding.PKCS1v15(), HASHES[other]()), False
    pss = padding.PSS(padding.MGF1(hash), hash.digest_size)
    yield "of RSASSA-PSS", key.sign(MESSAGE, pss, hash), False
    yield "the digest alone", raw(block(of)), False
    # The parameters left out: 05 00, and two off each length around them.
    bare = bytearray(PREFIXES[size])
    del bare[15:17]
    bare[1] -= 2
    bare[3] -= 2
    yield "a hash without parameters", raw(block(bytes(bare) + of)), False
    yield "bytes behind the digest", raw(block(PREFIXES[size] + of, tail=b"\0" * 8)), False
    short = bytes([0, 1]) + b"\xff" * 8 + b"\0" + PREFIXES[size] + of
    yield "eight bytes of padding and the rest behind", raw(short + bytes(length - len(short))), False
    yield "padding of zeros", raw(block(PREFIXES[size] + of, fill=0)), False
    yield "padding of encryption", raw(block(PREFIXES[size] + of, kind=2)), False
    yield "block type 0", raw(block(PREFIXES[size] + of, kind=0, fill=0)), False


def leading_zero(sign):
    """A message whose signature starts with a zero, and the signature."""
    for count in range(1 << 16):
        message = MESSAGE + str(count).encode()
        signature = sign(message)
        if signature[0] == 0:
            return message, signature


def ec_cases(key, size):
    order = ORDERS[size]
    length = (order.bit_length() + 7) // 8
    written = lambda r, s: r.to_bytes(length, "big") + s.to_bytes(length, "big")
    hash = HASHES[size]()
    der = key.sign(MESSAGE, ec.ECDSA(hash))
    r, s = utils.decode_dss_signature(der)
    good = written(r, s)
    yield "good", good, True
    yield from forms(good)
    # Both halves of the orders are taken (RFC 7518 has no rule against the higher one).
    yield "the order less s", written(r, order - s), True
    yield "the order less r", written(order - r, s), False
    yield "r of zero", written(0, s), False
    yield "s of zero", written(r, 0), False
    yield "r of one", written(1, s), False
    yield "s of one", written(r, 1), False
    yield "both of one", written(1, 1), False
    yield "r of the order", written(order, s), False
    yield "s of the order", written(r, order), False
    yield "r of the order and one", written(order + 1, s), False
    yield "s of the order and one", written(r, order + 1), False
    yield "the order less one twice", written(order - 1, order - 1), False
    yield "turned around", written(s, r), False
    yield "in DER", der, False
    yield "in DER, filled up", der + bytes(2 * length - len(der)) if len(der) < 2 * length else der[: 2 * length], False
    yield "in DER with a zero before r", utils_der(r, s, 1), False
    yield "of another message", raw_of(key, MESSAGE + b"x", hash, length), False
    for other in HASHES:
        if other != size:
            yield f"over SHA-{other}", raw_of(key, MESSAGE, HASHES[other](), length), False


def raw_of(key, message, hash, length):
    r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(hash)))
    return r.to_bytes(length, "big") + s.to_bytes(length, "big")


def utils_der(r, s, zeros):
    """Ecdsa-Sig-Value with more zeros before r than DER has."""
    def integer(value, zeros=0):
        digits = bytes(zeros) + value.to_bytes(value.bit_length() // 8 + 1, "big")
        return bytes([2, len(digits)]) + digits

    both = integer(r, zeros) + integer(s)
    length = bytes([len(both)]) if len(both) < 128 else bytes([0x81, len(both)])
    return b"\x30" + length + both


def group(about, algorithm, key, message, cases):
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return {
        "about": about,
        "algorithm": algorithm,
        "key": pem.decode(),
        "message": message.decode(),
        "cases": [{"name": name, "signature": signature.hex(), "good": good} for name, signature, good in cases],
    }


def groups():
    of_2048 = rsa.generate_private_key(65537, 2048)
    for size in HASHES:
        yield group("2048 bits", f"RS{size}", of_2048, MESSAGE, rsa_cases(of_2048, size))
    sign = lambda message: of_2048.sign(message, padding.PKCS1v15(), hashes.SHA256())
    message, signature = leading_zero(sign)
    cases = [("good", signature, True), ("the zero dropped", signature[1:], False)]
    yield group("a signature that starts with a zero", "RS256", of_2048, message, cases)
    # One bit into a byte of its own, and one short of it.
    for bits in (2049, 2055, 3072, 4096):
        key = rsa.generate_private_key(65537, bits)
        cases = rsa_cases(key, "256")
        few = [case for case in cases if case[0] in FEW]
        yield group(f"{bits} bits", "RS256", key, MESSAGE, few)
    for size, curve in CURVES.items():
        key = ec.generate_private_key(curve)
        yield group(curve.name, f"ES{size}", key, MESSAGE, ec_cases(key, size))
        hash, length = HASHES[size](), (ORDERS[size].bit_length() + 7) // 8
        message, signature = leading_zero(lambda message: raw_of(key, message, hash, length))
        cases = [("good", signature, True), ("the zero dropped", signature[1:], False)]
        yield group(f"{curve.name}, an r that starts with a zero", f"ES{size}", key, message, cases)


FEW = {
    "good",
    "a bit in the middle",
    "a byte too few",
    "a zero behind",
    "a zero before",
    "the modulus more than it",
    "of another message",
}

path = pathlib.Path(__file__).with_name("vectors.json")
path.write_text(json.dumps(list(groups()), indent=1) + "\n")
