//! The contract, and more, on real containers. Needs root and a static busybox
//! (`apt-get install busybox-static`); says so and passes where one is missing.

use async_trait::async_trait;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use windlass_agent::images::store::ImageStore;
use windlass_agent::images::{ImageId, Images};
use windlass_agent::network::NoNetwork;
use windlass_agent::runtime::Runtime;
use windlass_agent::runtime::oci::{OciOptions, OciRuntime};
use windlass_agent::runtime::testing::{self, Subject};

const BUSYBOX: &str = "/bin/busybox";
const IMAGE: &str = "docker.io/library/busybox:test";

struct Oci {
    dir: TempDir,
    images: ImageStore,
    image: ImageId,
    runtime: Option<Arc<OciRuntime>>,
}

impl Oci {
    async fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() || !Path::new(BUSYBOX).exists() {
            eprintln!("skipped: needs root and {BUSYBOX}");
            return None;
        }
        let dir = tempfile::tempdir().expect("a folder");
        let archive = dir.path().join("image.tar");
        testing::busybox_archive(Path::new(BUSYBOX), IMAGE, &archive).expect("an image");
        let images = ImageStore::open(dir.path().join("images")).expect("open");
        assert_eq!(images.import_images(&archive).await.expect("import"), [IMAGE]);
        let image = images.image_status("busybox:test").await.expect("look").expect("is here");
        let mut this = Self { dir, images, image: image.id, runtime: None };
        this.open().await;
        Some(this)
    }

    async fn open(&mut self) {
        let state = self.dir.path().join("state");
        let mut options = OciOptions::new(state, self.images.clone(), Arc::new(NoNetwork));
        options.helper = env!("CARGO_BIN_EXE_windlass-oci-shim").into();
        options.run_dir = self.dir.path().join("run");
        options.root_cgroup = format!("windlass-test-{}", std::process::id());
        self.runtime = Some(Arc::new(OciRuntime::open(options).await.expect("open")));
    }
}

#[async_trait]
impl Subject for Oci {
    fn runtime(&self) -> Arc<dyn Runtime> {
        self.runtime.clone().expect("is open")
    }

    fn image(&self) -> ImageId {
        self.image.clone()
    }

    fn log_folder(&self) -> PathBuf {
        tempfile::tempdir_in(self.dir.path()).expect("a folder").keep()
    }

    async fn reopen(&mut self) {
        self.runtime = None;
        self.open().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_contract() {
    let Some(mut oci) = Oci::new().await else { return };
    testing::contract(&mut oci).await;
}
