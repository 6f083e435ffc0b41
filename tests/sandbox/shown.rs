//! Directories of the host that a box shows.

use gavel::sandbox::{PROGRAM, ResourceControl};

use super::harness::{Bench, roomy};

#[test]
fn a_directory_made_again_at_the_same_path_is_shown_again() {
    let mut bench = Bench::new(ResourceControl::None);
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("entry");
    for content in ["first", "second"] {
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("file"), content).unwrap();
        bench.handle.attach(PROGRAM, &directory).unwrap();
        let ran = bench.try_command(&["cat", "/program/file"], roomy(), &[]).unwrap();
        assert_eq!(ran.stdout, content, "{ran:?}");
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
