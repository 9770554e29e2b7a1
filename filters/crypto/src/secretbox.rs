//! What a password locks: NaCl's `crypto_secretbox` (XSalsa20 and Poly1305) under a key that scrypt makes
//! of the password (RFC 7914), as sigstore's `encrypted` package stores private keys. Only opened, never
//! made.

use crate::constant_time_eq_slices;
use poly1305::{Poly1305, universal_hash::KeyInit as _};
use salsa20::{
    XSalsa20,
    cipher::{KeyIvInit as _, StreamCipher as _},
};
use scrypt::{Params, scrypt};

/// How a password becomes a key, and what was locked with it.
pub struct Locked<'a> {
    pub cost: Cost,
    pub salt: &'a [u8],
    pub nonce: &'a [u8],
    pub ciphertext: &'a [u8],
}

/// scrypt's `N`, `r` and `p`.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub n: u64,
    pub r: u32,
    pub p: u32,
}

/// Why it stays locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaysLocked {
    /// It asks for more than [`MOST_WORK`], or for what scrypt does not have.
    Cost,
    /// It is no secretbox.
    Form,
    /// The password is another one, or a byte of it was changed.
    Password,
}

/// `N · r · p`: sigstore's own keys ask for an eighth. 128 times that in bytes is the memory it takes.
pub const MOST_WORK: u64 = 1 << 22;

const TAG: usize = 16;

/// # Errors
/// Why it cannot be opened with this password.
pub fn open(locked: &Locked<'_>, password: &[u8]) -> Result<Vec<u8>, StaysLocked> {
    let Cost { n, r, p } = locked.cost;
    let work = n
        .checked_mul(u64::from(r))
        .and_then(|work| work.checked_mul(u64::from(p)));
    if !n.is_power_of_two() || n < 2 || work.is_none_or(|work| work > MOST_WORK) {
        return Err(StaysLocked::Cost);
    }
    let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| StaysLocked::Cost)?;
    let params = Params::new(log_n, r, p).map_err(|_| StaysLocked::Cost)?;
    let nonce: &[u8; 24] = locked.nonce.try_into().map_err(|_| StaysLocked::Form)?;
    let (tag, ciphertext) = locked
        .ciphertext
        .split_at_checked(TAG)
        .ok_or(StaysLocked::Form)?;
    let mut key = [0; 32];
    scrypt(password, locked.salt, &params, &mut key).map_err(|_| StaysLocked::Cost)?;
    let mut stream = XSalsa20::new(&key.into(), &(*nonce).into());
    // The first 32 bytes of the stream are Poly1305's key; the message has what follows.
    let mut one_time = [0; 32];
    stream.apply_keystream(&mut one_time);
    let found = Poly1305::new(&one_time.into()).compute_unpadded(ciphertext);
    if !constant_time_eq_slices(&found, tag) {
        return Err(StaysLocked::Password);
    }
    let mut opened = ciphertext.to_vec();
    stream.apply_keystream(&mut opened);
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by libsodium through PyNaCl, and scrypt by Python's `hashlib`.
    const SALT: &str = "39c1478c95b8bde95cddea554f857b92f00b8078bda5c35351fd75ea9635e363";
    const NONCE: &str = "a37302c7292558a85dabde602b0fe31ea0f328918f5e496c";
    const BOX: &str = "09d45947530c25e7c898a0771c72414fab4186f9fb65be66a9edd33b6151274fca50fa932c03bd570e92236f15c92b7abbb596a9cb0b127338c0835a3f7871bc6a484486ebdf5eea19eaabf31d14e4b43935518cf2fe0eb7a74d584297";

    fn opened(cost: Cost, password: &[u8], change: Option<usize>) -> Result<Vec<u8>, StaysLocked> {
        let bytes = |text: &str| base16ct::lower::decode_vec(text).expect("hexadecimal");
        let (salt, nonce, mut ciphertext) = (bytes(SALT), bytes(NONCE), bytes(BOX));
        if let Some(at) = change {
            ciphertext[at] ^= 1;
        }
        let locked = Locked {
            cost,
            salt: &salt,
            nonce: &nonce,
            ciphertext: &ciphertext,
        };
        open(&locked, password)
    }

    const COST: Cost = Cost { n: 16, r: 8, p: 1 };

    #[test]
    fn opens_what_libsodium_locked() {
        let plain =
            b"a secret that is longer than one block of Salsa20, which has sixty-four bytes";
        assert_eq!(
            opened(COST, b"open sesame", None).as_deref(),
            Ok(&plain[..])
        );
    }

    #[test]
    fn stays_locked_for_others() {
        assert_eq!(opened(COST, b"open", None), Err(StaysLocked::Password));
        for at in [0, TAG, 60] {
            let found = opened(COST, b"open sesame", Some(at));
            assert_eq!(found, Err(StaysLocked::Password), "{at}");
        }
    }

    #[test]
    fn does_no_more_work_than_is_bounded() {
        for (n, r, p) in [
            (0, 8, 1),
            (1, 8, 1),
            (15, 8, 1),
            (16, 0, 1),
            (16, 8, 0),
            (1 << 20, 8, 1),
            (1 << 62, 8, 8),
            (16, 1, u32::MAX),
        ] {
            let found = opened(Cost { n, r, p }, b"open sesame", None);
            assert_eq!(found, Err(StaysLocked::Cost), "{n} {r} {p}");
        }
    }

    #[test]
    fn refuses_what_is_no_box() {
        for (nonce, ciphertext) in [(&[0; 23][..], &[0; 40][..]), (&[0; 24], &[0; 15])] {
            let locked = Locked {
                cost: COST,
                salt: b"salt",
                nonce,
                ciphertext,
            };
            assert_eq!(open(&locked, b""), Err(StaysLocked::Form));
        }
    }
}
