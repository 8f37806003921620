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
        /// Let them go when nothing uses them and the disk is full. Without it they stay: they can't be fetched again
        #[arg(long)]
        no_pin: bool,
    },
    /// Keep an image, also when nothing uses it and the disk is full
    Pin {
        /// Its name or id
        image: String,
    },
    /// Let an image go when nothing uses it and the disk is full
    Unpin {
        /// Its name or id
        image: String,
    },
    /// Show the images there are
    List,
}

impl Image {
    pub(super) async fn run(self) -> Result<(), BoxError> {
        let store = images(&self.runtime, &self.data_dir).await?;
        match self.verb {
            Verb::Import { file, no_pin } => {
                for name in store.import_images(&file).await? {
                    store.pin_image(&name, !no_pin).await?;
                    println!("imported {name}");
                }
            }
            Verb::Pin { image } => store.pin_image(&image, true).await?,
            Verb::Unpin { image } => store.pin_image(&image, false).await?,
            Verb::List => {
                for image in store.list_images().await? {
                    let (names, id, size) = (image.tags.join(","), image.id.0, image.size);
                    let pinned = if image.pinned { "  pinned" } else { "" };
                    println!("{names}  {id}  {size} bytes{pinned}");
                }
            }
        }
        Ok(())
    }
}
