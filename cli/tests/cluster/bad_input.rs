//! What can't start says why in one line, leaves nothing behind, and does not exit with 0.

use crate::support::{Result, Scene};
use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output};

/// Runs a command that must fail, and gives its one line.
fn refusal(command: &mut Command) -> Result<String> {
    let Output { status, stderr, .. } = command.output()?;
    assert!(!status.success(), "{command:?} succeeded");
    let text = String::from_utf8(stderr)?;
    let errors: Vec<_> = text.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{text}");
    Ok(errors[0].to_owned())
}

#[test]
fn a_port_that_is_taken() -> Result<()> {
    Scene::play("port", async |scene| {
        let taken = TcpListener::bind("127.0.0.1:16443")?;
        let said = refusal(&mut scene.command())?;
        assert!(said.contains("127.0.0.1:16443") && said.contains("--listen"), "{said}");
        drop(taken);
        Ok(())
    })
}

#[test]
fn a_data_directory_in_use() -> Result<()> {
    Scene::play("in-use", async |scene| {
        let running = scene.start()?;
        let said = refusal(&mut scene.command())?;
        assert!(said.contains("in use by another process"), "{said}");
        running.stop()
    })
}

#[test]
fn a_data_directory_that_is_none() -> Result<()> {
    Scene::play("file", async |scene| {
        fs::write(scene.data_dir(), "a file")?;
        let said = refusal(&mut scene.command())?;
        assert!(said.contains("data directory") && said.contains("--data-dir"), "{said}");
        Ok(())
    })
}

#[test]
fn a_store_that_is_damaged() -> Result<()> {
    Scene::play("damaged", async |scene| {
        scene.start()?.stop()?;
        let store = scene.data_dir().join("store");
        let segments = fs::read_dir(&store)?.collect::<std::result::Result<Vec<_>, _>>()?;
        let largest =
            segments.iter().max_by_key(|entry| entry.metadata().map_or(0, |meta| meta.len()));
        let path = largest.ok_or("the store has files")?.path();
        let mut bytes = fs::read(&path)?;
        // In the middle of what was written: the segment is longer than that.
        let written = bytes.iter().rposition(|byte| *byte != 0).ok_or("something was written")?;
        bytes[written / 2] ^= 0xff;
        fs::write(&path, bytes)?;
        let said = refusal(&mut scene.command())?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        assert!(said.contains(&name) && said.contains("damaged at byte"), "{said}");
        Ok(())
    })
}

#[test]
fn flags_that_make_no_sense() -> Result<()> {
    Scene::play("flags", async |scene| {
        let said = refusal(scene.command().args(["--service-cidr", "nonsense"]))?;
        assert!(said.contains("service-cidr") && said.contains("10.96.0.0/16"), "{said}");
        Ok(())
    })
}
