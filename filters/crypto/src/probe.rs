//! Whether a host tells a good signature from a bad one, found out before anything depends on it. The
//! keys were made for this with Python's `cryptography`, and their private halves thrown away.

use crate::{
    Algorithm, BadSignature, Material, VerificationKey,
    native::{NativeVerifier, ask},
};

/// Those with a signature here.
pub fn algorithms() -> Vec<Algorithm> {
    KNOWN.iter().map(|(algorithm, ..)| *algorithm).collect()
}

/// Whether the host takes the good signature, and refuses it for another message.
pub fn is_told_apart(host: &dyn NativeVerifier, algorithm: Algorithm) -> bool {
    let told = || {
        let (_, key, signature) = KNOWN.iter().find(|(known, ..)| *known == algorithm)?;
        let signature = bytes(signature)?;
        let key = key.read(algorithm)?;
        let good = ask(host, &key, SIGNED, &signature)?;
        let bad = ask(host, &key, NOT_SIGNED, &signature)?;
        Some(good == Ok(()) && bad == Err(BadSignature))
    };
    told().unwrap_or(false)
}

const SIGNED: &[u8] = b"portcullis";
const NOT_SIGNED: &[u8] = b"Portcullis";

/// Numbers in hexadecimal.
enum Key {
    Rsa { n: &'static str },
    Ec { x: &'static str, y: &'static str },
}

impl Key {
    fn read(&self, algorithm: Algorithm) -> Option<VerificationKey> {
        let key = match self {
            Key::Rsa { n } => {
                let (n, e) = (bytes(n)?, [1, 0, 1]);
                VerificationKey::new(algorithm, &Material::Rsa { n: &n, e: &e })
            }
            Key::Ec { x, y } => {
                let (x, y) = (bytes(x)?, bytes(y)?);
                VerificationKey::new(algorithm, &Material::Ec { x: &x, y: &y })
            }
        };
        key.ok()
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    base16ct::lower::decode_vec(hex).ok()
}

/// A key of each algorithm, and its signature over [`SIGNED`].
const KNOWN: [(Algorithm, &Key, &str); 5] = [
    (Algorithm::RS256, &RSA, RS256),
    (Algorithm::RS384, &RSA, RS384),
    (Algorithm::RS512, &RSA, RS512),
    (Algorithm::ES256, &P256, ES256),
    (Algorithm::ES384, &P384, ES384),
];

const RSA: Key = Key::Rsa {
    n: "ad521fdccd5ea4c7ab8ae0440d5eef1ba4ea02895486e90d5226cf451a537db2e8974c2d6fc50ae9eb7a3b86\
        8a37368cfc07c76deffcf2478fdecc4f5741e766e85d45d13fd5a870057e2dccc5242e6109635b4eeadc741d\
        ac13fe8daf90d3cec422a3fab48e0fa2fdfaa9bc0afffbdd8cb251c81264859791fc2292d57c1639bc572aa1\
        d203d5687fca0d10e40c154a55222ec09df7367b9996e5bdc0691b35b81cd77e9eab56427a504e19c2868046\
        e24e1151cce031186b1315d93623b1a4dcd51ba304b7fafc7a54554002659cee23317d3b6aec3400dbaa3c1e\
        137be8df7175fb2c79af46e61d3b617c38c59ffdf1fbb33807fc7a657cec9a1ff4fd0d9b",
};
const P256: Key = Key::Ec {
    x: "4662ae50d52fd1be7be198684dff481a84af25a0ce9ac34570015517e115bf78",
    y: "f46d24c83914687e4fd4ec12b114caf1dde76f3f4e1f95b3f655587df865e18a",
};
const P384: Key = Key::Ec {
    x: "32945f1ef23933ccd285637c8a423d980ce1483fde8ffdbd852c2d66f6c562ddbb9fe8b5e9b7d92a83098882\
        964f89dd",
    y: "c6b9cbef9f8e8ed832353de9ac32b6392fbb0f2a99a02bcbe6e82ca9d96c59c0a9124180db6de457d403bd05\
        37b7fa2c",
};
const RS256: &str = "3541b74f8f9c0ac8d4f05661b4f73d74cd54eeccdc5b8bdf379eb9dd9246be55f235c8bfdd8ff60d3fc1e4a5\
        3444c6752451f8d069ac4facd8434e9e77ca80606f1a667c4122d6af3a12bbb380f08bca58454d57371f53d1\
        bf4a15c06cb6b2ea235771ab0586772a8c09c0c12425c7282fb492b8337c7bd3e4ef3dfb3ee4a0cae80dafd8\
        2529c474a46c2dc17b79853571b93c056f3cf0443da52c20f486176a088ad8a85082eeeaa7ea12e908d0a43b\
        c2d5c4b09c9b3b06a7fcf8b6527a951a3bd1e50d45b8a4953c4327fa27ea4cbd92db8f69567c74369c7a3de3\
        57160b2eb68e102f5ee480781ffb9f79f238e1dd184c5dff4c356ac70f810e683edf6448";
const RS384: &str = "1346b941bef082d430fb8150ec0a82e33380db34b1c6c0d9cb4e830e3837c84e6efb820ea5dab835530f4e9e\
        78bfc65783029f9162b02f7dccc5bd3094ef9e53da29dbe90738f3d885d7bf9ce8063ba9c8439d4c06ece49a\
        4d395680c21345b127552e3d97a07cc37219b055ce2246a84fe015e22cefde64f1d0f4927fe444c0c266a763\
        7d38e0c3eac666ba4eb588311049a1fe040e79d69184889286456698aef01a75d3396b0d97535601baef96fc\
        427ee8a59f63193e7a303690d8860120ee24b8a6464abc6268d19261aa352e57ba838c40c089d89c88d929cc\
        845b75dcf9a0dd30012d9d0637226d9b455621e921467150ed4b3bdfb0a08f507f36ef61";
const RS512: &str = "99bc7a41480a7b5e001ce72eac7c651809340c47fcf93a3c8694c2b19d28c10d0975a096f7d5a7a527603f2f\
        99759eb0db91090640dc7b67d73cdb961e529c8fb88615b4ae2d9069ed8002f22f1812f6ed0ec54216a47834\
        dfb56db16bd8fea268d68fc19ce170524fc60171c6f89cc4e215387d75aaa9b5c180fff7068e78328d950f2d\
        ce500e32e26d31ea7ac7841471a92c73835f92cba8865d3e8579aac94aad505b6753f94a791ac75fa71a5cd6\
        93c577b77614e91859f48b9622ed452db15938b075be3612a2a0f7b140bcf7951a9ab94395aae745d5633379\
        210f1f9b012bf13feef53d6f26ba06095f0858ce0ab4d86593b22f476d2ca156104a3a8e";
const ES256: &str = "fe997f02f8796fda85e5bd5d582f4abdff0420bf2beedf8c2ee8ab345d3f2c0e1519beda33f47afc0eafdaad\
        7ef9c0f25e01e7c56499c074ea21a4632edace8d";
const ES384: &str = "c908d1ba7b0a8828dcf0508683166de0d88d1a384a1e008ebac9c67e75fcdf8a0267ed9fbb2fd66087056355\
        6097fe3bbb11cc978221c518bf136973f2689f4c58cabd00af6d3c9e518ad99705e82ceccd224bfd10fa693d\
        2bf6414d05a099c5";
