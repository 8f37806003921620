//! `windlass image`

use crate::standalone::{DATA_DIR, RuntimeOptions, images};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use windlass_core::component::BoxError;

/// Images on this node
#[derive(Args)]
#[command(
    after_help = "Examples:\n  windlass image import busybox.tar\n  windlass image list --data-dir ./data"
)]
pub(super) struct Image {
    #[command(subcommand)]
    verb: Verb,
    /// The cluster's data directory
    #[arg(long, global = true, default_value = DATA_DIR)]
    data_dir: PathBuf,
    #[command(flatten)]
    runtime: RuntimeOptions,
}

#[derive(Subcommand)]
enum Verb {
    /// Take the images of an archive (OCI layout, or made by `docker save`)
    Import {
        /// The archive
        file: PathBuf,
    },
    /// Show the images there are
    List,
}

impl Image {
    pub(super) async fn run(self) -> Result<(), BoxError> {
        let store = images(&self.runtime, &self.data_dir).await?;
        match self.verb {
            Verb::Import { file } => {
                for name in store.import_images(&file).await? {
                    println!("imported {name}");
                }
            }
            Verb::List => {
                for image in store.list_images().await? {
                    println!("{}  {}  {} bytes", image.tags.join(","), image.id.0, image.size);
                }
            }
        }
        Ok(())
    }
}
