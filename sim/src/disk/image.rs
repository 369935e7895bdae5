//! What is on a disk: an immutable picture that is cheap to copy, to compare and to start a world from.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use super::content::Content;
use super::overlay::Overlays;

/// The number of an inode. It is never used twice in the life of a disk.
pub(crate) type Ino = u32;

/// The root directory.
pub(crate) const ROOT: Ino = 0;

/// A directory: names, sorted bytewise, and inodes.
pub(crate) type Entries = BTreeMap<Arc<str>, Ino>;

/// The durable contents of a disk, everything resolved. A copy shares all pages with the original.
#[derive(Clone)]
pub struct DiskImage {
    /// By inode number.
    pub(crate) nodes: Vec<Option<ImageNode>>,
    pub(crate) overlays: Overlays,
}

#[derive(Clone)]
pub(crate) enum ImageNode {
    File(Arc<Content>),
    Dir(Arc<Entries>),
}

impl DiskImage {
    /// An empty root directory.
    pub fn empty() -> DiskImage {
        DiskImage { nodes: vec![Some(ImageNode::Dir(Arc::default()))], overlays: Overlays::default() }
    }

    /// The same disk without rotten bits and unreadable sectors.
    #[must_use]
    pub fn healed(&self) -> DiskImage {
        DiskImage { nodes: self.nodes.clone(), overlays: Overlays::default() }
    }

    /// Paths of all files, sorted, with their bytes.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        self.visit(ROOT, "", &mut |path, node, ino| {
            if let ImageNode::File(content) = node {
                let mut bytes = vec![0; usize::try_from(content.len()).expect("it fits in memory")];
                content.read(0, &mut bytes);
                self.overlays.show(ino, 0, &mut bytes);
                files.push((path.to_owned(), bytes));
            }
        });
        files
    }

    /// The bytes of the file at `path`.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.files().into_iter().find(|(p, _)| p == path).map(|(_, bytes)| bytes)
    }

    /// An image with these files, for a test that begins with them. Directories are made as needed.
    pub fn with_files<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> DiskImage {
        let mut image = DiskImage::empty();
        for (path, bytes) in files {
            let mut content = Content::default();
            content.write(0, bytes);
            let mut dir = ROOT;
            let (parents, name) = path.rsplit_once('/').map_or((None, path), |(p, n)| (Some(p), n));
            for part in parents.into_iter().flat_map(|p| p.split('/')) {
                dir = image.entry(dir, part, || ImageNode::Dir(Arc::default()));
            }
            let ino = image.entry(dir, name, || ImageNode::File(Arc::default()));
            image.nodes[ino as usize] = Some(ImageNode::File(Arc::new(content)));
        }
        image
    }

    fn entry(&mut self, dir: Ino, name: &str, new: impl FnOnce() -> ImageNode) -> Ino {
        let next = Ino::try_from(self.nodes.len()).expect("fewer than 2^32 inodes");
        let Some(ImageNode::Dir(entries)) = &mut self.nodes[dir as usize] else { panic!("{name} lies in a file") };
        if let Some(ino) = entries.get(name) {
            return *ino;
        }
        Arc::make_mut(entries).insert(name.into(), next);
        self.nodes.push(Some(new()));
        next
    }

    /// Two images hash alike when a program cannot tell them apart: same paths, same lengths, same bytes, and the same
    /// paths being one file (a half-done rename and a copy of the file are not the same to whoever writes to it).
    pub fn content_hash(&self) -> u64 {
        let mut hasher = Xxh3::new();
        let mut first_seen: Vec<Option<u32>> = vec![None; self.nodes.len()];
        let mut order = 0;
        self.visit(ROOT, "", &mut |path, node, ino| {
            hasher.update(path.as_bytes());
            order += 1;
            if let Some(other_name) = first_seen[ino as usize].replace(order) {
                hasher.update(&other_name.to_le_bytes());
            }
            match node {
                ImageNode::Dir(_) => hasher.update(&[0]),
                ImageNode::File(content) => {
                    hasher.update(&[1]);
                    hasher.update(&content.hash().to_le_bytes());
                    self.overlays.hash(ino, &mut hasher);
                }
            }
        });
        hasher.digest()
    }

    /// Writes the image to a directory of the real file system, for a person to look at.
    pub fn export(&self, directory: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(directory)?;
        for (path, bytes) in self.files() {
            let path = directory.join(path);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(path, bytes)?;
        }
        Ok(())
    }

    /// Reads an image from a directory of the real file system; symbolic links and special files are left out.
    pub fn import(directory: &Path) -> std::io::Result<DiskImage> {
        fn walk(directory: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
            for entry in std::fs::read_dir(directory)? {
                let entry = entry?;
                let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    walk(&entry.path(), &format!("{path}/"), files)?;
                } else if kind.is_file() {
                    files.push((path, std::fs::read(entry.path())?));
                }
            }
            Ok(())
        }
        let mut files = Vec::new();
        walk(directory, "", &mut files)?;
        files.sort();
        Ok(DiskImage::with_files(files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))))
    }

    /// Drops what no path leads to: after a crash nobody holds an unlinked file open.
    pub(crate) fn drop_unreachable(&mut self) {
        let mut reachable = vec![false; self.nodes.len()];
        reachable[ROOT as usize] = true;
        self.visit(ROOT, "", &mut |_, _, ino| reachable[ino as usize] = true);
        for (node, reachable) in self.nodes.iter_mut().zip(reachable) {
            if !reachable {
                *node = None;
            }
        }
    }

    pub(crate) fn visit<'a>(&'a self, dir: Ino, path: &str, see: &mut impl FnMut(&str, &'a ImageNode, Ino)) {
        let Some(ImageNode::Dir(entries)) = &self.nodes[dir as usize] else { return };
        for (name, ino) in entries.iter() {
            let Some(node) = &self.nodes[*ino as usize] else { continue };
            if path.is_empty() && matches!(node, ImageNode::File(_)) {
                see(name, node, *ino);
                continue;
            }
            let path = if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
            see(&path, node, *ino);
            self.visit(*ino, &path, see);
        }
    }
}

impl std::fmt::Debug for DiskImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut map = f.debug_map();
        self.visit(ROOT, "", &mut |path, node, _| {
            if let ImageNode::File(content) = node {
                map.entry(&path, &content.len());
            }
        });
        map.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_round_trip_through_a_real_directory() {
        let image = DiskImage::with_files([("a", &b"one"[..]), ("dir/b", b"two"), ("dir/deep/c", &[7; 9000])]);
        assert_eq!(image.read("dir/b").as_deref(), Some(&b"two"[..]));
        let directory = std::env::temp_dir().join(format!("helios-sim-image-{}", std::process::id()));
        image.export(&directory).expect("the temporary directory is writable");
        let read = DiskImage::import(&directory).expect("it was just written");
        std::fs::remove_dir_all(&directory).expect("it was just written");
        assert_eq!(read.files(), image.files());
        assert_eq!(read.content_hash(), image.content_hash());
        assert_ne!(read.content_hash(), DiskImage::empty().content_hash());
    }
}
