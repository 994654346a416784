//! Which data sets are published where, and what proves their files?

use super::classes;

/// A published data set.
#[derive(Debug, PartialEq, Eq)]
pub struct Published {
    /// What it is called on the command line.
    pub name: &'static str,
    /// The folder of its files on the network, with the last slash.
    pub address: &'static str,
    /// Its files.
    pub files: &'static [PublishedFile],
    /// Its licence.
    pub licence: &'static str,
    /// Whom the licence asks to name.
    pub attribution: &'static str,
}

/// A file of a published data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedFile {
    /// Its name, there and here.
    pub name: &'static str,
    /// What proves it.
    pub proof: Proof,
}

/// A SHA-256, in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Of the file's bytes.
    Packed(&'static str),
    /// Of what the gzip file holds: mirrors pack anew.
    Unpacked(&'static str),
}

/// KMNIST, from its makers. They serve it without encryption; the digests do not need any.
pub static KMNIST: Published = Published {
    name: "kmnist",
    address: "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    files: &[
        PublishedFile {
            name: "train-images-idx3-ubyte.gz",
            proof: Proof::Packed("51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
        },
        PublishedFile {
            name: "train-labels-idx1-ubyte.gz",
            proof: Proof::Packed("e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
        },
        PublishedFile {
            name: "t10k-images-idx3-ubyte.gz",
            proof: Proof::Packed("edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
        },
        PublishedFile {
            name: "t10k-labels-idx1-ubyte.gz",
            proof: Proof::Packed("20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
        },
    ],
    licence: classes::KMNIST_LICENCE,
    attribution: classes::KMNIST_ATTRIBUTION,
};

/// MNIST, from the mirror that PyTorch keeps.
pub static MNIST: Published = Published {
    name: "mnist",
    address: "https://ossci-datasets.s3.amazonaws.com/mnist/",
    files: &[
        PublishedFile {
            name: "train-images-idx3-ubyte.gz",
            proof: Proof::Unpacked("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        },
        PublishedFile {
            name: "train-labels-idx1-ubyte.gz",
            proof: Proof::Unpacked("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        },
        PublishedFile {
            name: "t10k-images-idx3-ubyte.gz",
            proof: Proof::Unpacked("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        },
        PublishedFile {
            name: "t10k-labels-idx1-ubyte.gz",
            proof: Proof::Unpacked("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        },
    ],
    licence: classes::MNIST_LICENCE,
    attribution: classes::MNIST_ATTRIBUTION,
};

/// The data set of this name.
pub fn published(name: &str) -> Option<&'static Published> {
    [&KMNIST, &MNIST].into_iter().find(|set| set.name == name)
}
