//! A layer: a packed tar archive with one file, the same bytes for the same module; and back, without
//! trust in what it says of itself.

use super::{MOST_WASM, PLUGIN};
use crate::Fault;
use flate2::{Compression, GzBuilder, bufread::MultiGzDecoder};
use std::io::{self, Read};
use tar::{Archive, Builder, EntryType, Header};

/// "Unknown" (RFC 1952 section 2.3.1), on whichever system this runs.
const UNKNOWN_SYSTEM: u8 = 255;
/// Bytes of an archive besides its file: headers, padding, the blocks at its end.
const AROUND: usize = 1024 * 1024;

/// An archive, packed and as it is: a configuration has the digest of the latter.
pub struct Packed {
    pub layer: Vec<u8>,
    pub tar: Vec<u8>,
}

/// # Errors
/// That it cannot be packed.
pub fn pack(module: &[u8]) -> Result<Packed, Fault> {
    let wrong = |error: io::Error| Fault::Refused(format!("the layer: {error}"));
    let tar = archived([(PLUGIN, module)]).map_err(wrong)?;
    let mut packer = GzBuilder::new()
        .mtime(0)
        .operating_system(UNKNOWN_SYSTEM)
        .write(Vec::new(), Compression::best());
    io::copy(&mut tar.as_slice(), &mut packer).map_err(wrong)?;
    let layer = packer.finish().map_err(wrong)?;
    Ok(Packed { layer, tar })
}

/// A tar archive that says nothing of times and owners.
///
/// # Errors
/// A name is too long for one.
pub fn archived<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Result<Vec<u8>, io::Error> {
    let mut builder = Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(u64::try_from(content.len()).unwrap_or(u64::MAX));
        builder.append_data(&mut header, name, content)?;
    }
    builder.into_inner()
}

/// The module in a layer. It must be all that is there: a second one would be for the host to choose.
///
/// # Errors
/// Where it is not packed, has something else, or more than a module may have.
pub fn unpack(layer: &[u8]) -> Result<Vec<u8>, Fault> {
    let broken = |error: io::Error| Fault::Refused(format!("the layer is no tar+gzip: {error}"));
    let most = u64::try_from(MOST_WASM.saturating_add(AROUND)).unwrap_or(u64::MAX);
    // As Go reads it: one stream behind the other.
    let mut archive = Archive::new(MultiGzDecoder::new(layer).take(most));
    let mut module = None;
    // An extension header is an entry of its own then, and refused: Go makes of some what is not in the
    // bytes (`GNU.sparse.*`, archive/tar's reader.go), and this crate nothing.
    for entry in archive.entries().map_err(broken)?.raw(true) {
        let mut entry = entry.map_err(broken)?;
        let kind = entry.header().entry_type();
        if !matches!(
            kind,
            EntryType::Regular | EntryType::Symlink | EntryType::Link | EntryType::Directory
        ) {
            return Err(Fault::Refused(format!(
                "the layer has an entry of the kind `{}`, and {PLUGIN} as a plain file is taken",
                char::from(kind.as_byte()).escape_debug()
            )));
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if module.is_none() && is_of_bundle(&name) {
            return Err(Fault::Bundle);
        }
        if name.strip_prefix("./").unwrap_or(&name) != PLUGIN {
            return Err(Fault::Refused(format!(
                "the layer has `{}` besides {PLUGIN}",
                crate::remote::shown(&name)
            )));
        }
        if kind != EntryType::Regular {
            return Err(Fault::Refused(format!("{PLUGIN} in the layer is no file")));
        }
        if module.is_some() {
            return Err(Fault::Refused(format!("the layer has {PLUGIN} twice")));
        }
        let size = usize::try_from(entry.size()).unwrap_or(usize::MAX);
        if size > MOST_WASM {
            return Err(Fault::Refused(format!(
                "{PLUGIN} in the layer has {size} bytes, and {MOST_WASM} at most are taken"
            )));
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(broken)?;
        if content.len() != size {
            return Err(Fault::Refused(format!(
                "{PLUGIN} in the layer is cut short"
            )));
        }
        module = Some(content);
    }
    // Whether all of it was packed well shows at its end.
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(broken)?;
    if rest.limit() == 0 {
        return Err(Fault::Refused(format!(
            "the layer has more than {most} bytes, and no module has"
        )));
    }
    module.ok_or_else(|| Fault::Refused(format!("the layer has no {PLUGIN}")))
}

/// Which files begin a bundle of policies, by OPA's names for them.
fn is_of_bundle(name: &str) -> bool {
    const NAMES: [&str; 4] = [".manifest", ".signatures.json", "data.json", "data.yaml"];
    let file = name.rsplit('/').next().unwrap_or_default();
    NAMES.contains(&file) || file.ends_with(".rego")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn packed(tar: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(tar).unwrap();
        packer.finish().unwrap()
    }

    fn special(kind: EntryType) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(0);
        builder
            .append_link(&mut header, PLUGIN, "/etc/passwd")
            .unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn a_module_comes_back_and_its_layer_says_no_time() {
        let first = pack(b"\0asm and more").unwrap();
        assert_eq!(first.layer, pack(b"\0asm and more").unwrap().layer);
        assert_eq!(unpack(&first.layer).unwrap(), b"\0asm and more");
        // RFC 1952 section 2.3: MTIME and OS.
        assert_eq!(first.layer.get(4..8), Some(&[0; 4][..]));
        assert_eq!(first.layer.get(9), Some(&UNKNOWN_SYSTEM));
        let dotted = archived([("./plugin.wasm", &b"a"[..])]).unwrap();
        assert_eq!(unpack(&packed(&dotted)).unwrap(), b"a");
    }

    /// As GNU tar writes a sparse file in POSIX format, version 0.1: what is read is not what is there.
    fn extended(key: &str, value: &str) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        builder
            .append_pax_extensions([(key, value.as_bytes())])
            .unwrap();
        let mut header = Header::new_ustar();
        header.set_size(3);
        header.set_entry_type(EntryType::Regular);
        builder
            .append_data(&mut header, PLUGIN, &b"abc"[..])
            .unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn what_is_no_layer_of_one_module_is_refused() {
        let tar = |names: &[&str]| {
            packed(&archived(names.iter().map(|name| (*name, &b"abc"[..]))).unwrap())
        };
        let whole = tar(&[PLUGIN]);
        let cut = packed(&archived([(PLUGIN, &[7; 2000][..])]).unwrap()[..1024]);
        let mut long = Header::new_ustar();
        long.set_path(PLUGIN).unwrap();
        long.set_entry_type(EntryType::Regular);
        long.set_size(u64::from(u32::MAX));
        long.set_cksum();
        let mut huge = Header::new_gnu();
        huge.set_path(PLUGIN).unwrap();
        huge.set_entry_type(EntryType::GNUSparse);
        huge.set_size(0);
        huge.set_cksum();
        let cases: [(&str, Vec<u8>, &str); 13] = [
            (
                "holes",
                packed(&extended("GNU.sparse.map", "0,3")),
                "of the kind `x`",
            ),
            (
                "a name",
                packed(&extended("path", "other")),
                "of the kind `x`",
            ),
            ("GNU's holes", packed(huge.as_bytes()), "of the kind `S`"),
            ("nothing", Vec::new(), "no tar+gzip"),
            (
                "not packed",
                archived([(PLUGIN, &b"a"[..])]).unwrap(),
                "no tar+gzip",
            ),
            (
                "a packed stream cut",
                whole[..whole.len() - 9].to_vec(),
                "no tar+gzip",
            ),
            (
                "noise behind it",
                [&whole[..], b"noise"].concat(),
                "no tar+gzip",
            ),
            ("no file", packed(&[0; 1024]), "has no plugin.wasm"),
            (
                "another",
                tar(&[PLUGIN, "a/plugin.wasm"]),
                "`a/plugin.wasm` besides",
            ),
            ("twice", tar(&[PLUGIN, PLUGIN]), "twice"),
            ("a link", packed(&special(EntryType::Symlink)), "is no file"),
            ("too long", packed(long.as_bytes()), "4294967295 bytes"),
            ("an archive cut", cut, "cut short"),
        ];
        for (name, layer, wanted) in cases {
            match unpack(&layer) {
                Err(fault) => assert!(fault.to_string().contains(wanted), "{name}: {fault}"),
                Ok(_) => assert_eq!(name, wanted),
            }
        }
    }
}
