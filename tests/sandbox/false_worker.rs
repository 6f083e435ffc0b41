//! A keeper that is asked by a false worker: it shows what was listed at the start, and nothing else.

use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{OFlag, openat};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg,
    socketpair,
};
use nix::sys::stat::Mode;
use serde_json::{Value, json};

use super::harness::settings;

/// Speaks the keeper's protocol by hand.
struct FalseWorker {
    socket: Option<OwnedFd>,
    keeper: Child,
}

impl FalseWorker {
    fn new() -> Self {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap();
        let keeper = Command::new(settings(None).executable.unwrap())
            .arg("keeper")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { socket: Some(ours), keeper }
    }

    fn started(list: &Value) -> Self {
        let mut worker = Self::new();
        assert_eq!(worker.ask(&json!({ "List": list })).0, json!({ "Done": { "roles": [] } }));
        let (answer, _) = worker.ask(&json!({ "Start": { "demanded": null } }));
        assert!(answer.get("Started").is_some(), "{answer}");
        worker
    }

    fn ask(&mut self, request: &Value) -> (Value, Vec<Received>) {
        self.say(request.to_string().as_bytes(), &[])
    }

    fn say(&mut self, bytes: &[u8], descriptors: &[RawFd]) -> (Value, Vec<Received>) {
        let socket = self.socket.as_ref().unwrap().as_raw_fd();
        let rights = [ControlMessage::ScmRights(descriptors)];
        let control: &[ControlMessage<'_>] = if descriptors.is_empty() { &[] } else { &rights };
        sendmsg::<()>(socket, &[IoSlice::new(bytes)], control, MsgFlags::MSG_NOSIGNAL, None).unwrap();
        let mut buffer = vec![0; 1 << 17];
        let mut space = nix::cmsg_space!([RawFd; 24]);
        let mut slices = [IoSliceMut::new(&mut buffer)];
        let message =
            recvmsg::<()>(socket, &mut slices, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC).unwrap();
        let mut received = Vec::new();
        for control in message.cmsgs().unwrap() {
            if let ControlMessageOwned::ScmRights(raw) = control {
                received.extend(raw.into_iter().map(Received));
            }
        }
        let length = message.bytes;
        assert!(length > 0, "the keeper has ended");
        (serde_json::from_slice(&buffer[..length]).unwrap(), received)
    }

    /// Asks for something that must be refused, and returns why it was.
    #[track_caller]
    fn assert_refused(&mut self, request: &Value, count: &mut u64) -> String {
        let (answer, descriptors) = self.ask(request);
        assert_refusal(&answer, &descriptors, count, &request.to_string())
    }

    /// Everything the keeper wrote to its standard error, once it has ended.
    fn end(mut self) -> String {
        self.socket = None;
        let mut text = String::new();
        std::io::Read::read_to_string(self.keeper.stderr.as_mut().unwrap(), &mut text).unwrap();
        assert!(self.keeper.wait().unwrap().success(), "{text}");
        text
    }
}

/// A descriptor that came with an answer.
#[derive(Debug)]
struct Received(RawFd);

impl Received {
    /// The directory it refers to, opened once more.
    fn directory(&self) -> File {
        File::open(format!("/proc/self/fd/{}", self.0)).unwrap()
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        nix::unistd::close(self.0).unwrap();
    }
}

#[track_caller]
fn assert_refusal(answer: &Value, descriptors: &[Received], count: &mut u64, request: &str) -> String {
    *count += 1;
    let refused = answer.get("Refused").unwrap_or_else(|| panic!("{request}: {answer}"));
    assert_eq!(refused["count"], *count, "{request}: {answer}");
    assert!(descriptors.is_empty(), "{request}: {answer}");
    refused["detail"].as_str().unwrap().to_owned()
}

/// The directory at a path, as an honest worker names it.
fn source(path: &Path) -> Value {
    let metadata = path.metadata().ok();
    let (device, inode) = metadata.map_or((0, 0), |metadata| (metadata.dev(), metadata.ino()));
    json!({ "path": path, "device": device, "inode": inode })
}

fn shape() -> Value {
    serde_json::to_value(gavel::sandbox::Shape::default()).unwrap()
}

fn shape_with(field: &str, value: Value) -> Value {
    let mut shape = shape();
    shape[field] = value;
    shape
}

/// A store, a package root and a mount that are listed, and things beside and below them that lead out.
struct Scene {
    _directory: tempfile::TempDir,
    store: PathBuf,
    packages: PathBuf,
    mount: PathBuf,
    outside: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().canonicalize().unwrap().join(name);
        for name in ["store/entry/inner", "packages/sum", "outside/inner"] {
            std::fs::create_dir_all(path(name)).unwrap();
        }
        std::fs::write(path("store/entry/file"), "listed").unwrap();
        std::fs::write(path("outside/file"), "secret").unwrap();
        symlink(path("outside"), path("store/link")).unwrap();
        symlink("../../outside", path("store/entry/relative")).unwrap();
        symlink("entry", path("store/harmless")).unwrap();
        symlink("/proc/self/root", path("store/magic")).unwrap();
        Self {
            store: path("store"),
            packages: path("packages"),
            // Not below `/tmp`, which is a box's own.
            mount: "/usr/share".into(),
            outside: path("outside"),
            _directory: directory,
        }
    }

    fn list(&self) -> Value {
        json!({
            "stores": [self.store], "packages": [self.packages], "mounts": [self.mount, "/nothing/here"],
            "rootfs": null,
        })
    }

    fn worker(&self) -> FalseWorker {
        FalseWorker::started(&self.list())
    }
}

#[test]
fn a_keeper_shows_no_directory_that_was_not_listed() {
    let scene = Scene::new();
    let mut worker = scene.worker();
    let mut count = 0;
    let (opened, _boxes) = worker.ask(&json!({ "Open": { "shape": shape(), "core": null } }));
    let number = opened["Opened"]["number"].as_u64().unwrap();
    let attach = |point: &str, source: Value| json!({ "Attach": { "number": number, "point": point, "source": source } });
    let outside = [
        PathBuf::from("/"),
        "/root".into(),
        "/etc".into(),
        "/proc/self/root".into(),
        "/proc/self/cwd".into(),
        format!("/proc/{}/root/etc", std::process::id()).into(),
        "relative".into(),
        "".into(),
        scene.outside.clone(),
        scene.mount.clone(),
        scene.store.join(".."),
        scene.store.join("../outside"),
        scene.store.join("entry/../../outside"),
        scene.store.join("link"),
        scene.store.join("link/inner"),
        scene.store.join("entry/relative/inner"),
        scene.store.join("harmless/inner"),
        scene.store.join("magic/etc"),
        scene.store.with_file_name("store-beside"),
    ];
    for path in &outside {
        for point in ["/program", "/prepared", "/package", "/channels"] {
            worker.assert_refused(&attach(point, source(path)), &mut count);
        }
        worker.assert_refused(&json!({ "View": { "source": source(path) } }), &mut count);
    }
    // Packages are for programs of the jury's, which see them at one point.
    let sum = source(&scene.packages.join("sum"));
    worker.assert_refused(&attach("/program", sum.clone()), &mut count);
    for point in ["/", "/w", "/usr", "/package/..", "/program/", "", "/proc/self/fd/3"] {
        let reason = worker.assert_refused(&attach(point, source(&scene.store.join("entry"))), &mut count);
        assert!(reason.contains("attach point"), "{reason}");
    }
    let mut replaced = source(&scene.store.join("entry"));
    replaced["inode"] = json!(1);
    let reason = worker.assert_refused(&attach("/program", replaced), &mut count);
    assert!(reason.contains("start gavel again"), "{reason}");
    // The list does not grow any more.
    worker.assert_refused(
        &json!({ "List": { "stores": ["/root"], "packages": [], "mounts": [], "rootfs": "/" } }),
        &mut count,
    );
    worker.assert_refused(&json!({ "Start": { "demanded": null } }), &mut count);

    // An honest worker is served as before.
    for (point, source) in [("/program", source(&scene.store.join("entry"))), ("/package", sum)] {
        let (answer, _) = worker.ask(&attach(point, source));
        assert_eq!(answer, json!({ "Done": { "roles": [] } }));
    }
    let (answer, views) = worker.ask(&json!({ "View": { "source": source(&scene.store.join("entry")) } }));
    assert_eq!(answer["Done"]["roles"], json!(["View"]));
    let written = openat(views[0].directory(), "new", OFlag::O_CREAT | OFlag::O_WRONLY, Mode::S_IRWXU);
    assert_eq!(written.err(), Some(nix::errno::Errno::EROFS));
    if nix::unistd::Uid::effective().is_root() {
        assert_only_listed_mounts(opened["Opened"]["init"].as_i64().unwrap(), &scene);
    }
    let text = worker.end();
    assert!(text.contains("refused to show a directory in a box (refusal 1): '/'"), "{text}");
}

/// Of the host a box has its system directories and what was attached, read-only and each at its place.
fn assert_only_listed_mounts(init: i64, scene: &Scene) {
    let root = PathBuf::from(format!("/proc/{init}/root"));
    for entry in std::fs::read_dir(&root).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let own = [
            "bin", "sbin", "usr", "etc", "dev", "proc", "tmp", "w", "program", "prepared", "package",
            "channels",
        ];
        assert!(own.contains(&name.as_str()) || name.starts_with("lib"), "/{name}");
    }
    let identity = |path: &Path| {
        let metadata = path.metadata().unwrap();
        (metadata.dev(), metadata.ino())
    };
    for (point, shown) in [("program", scene.store.join("entry")), ("package", scene.packages.join("sum"))] {
        let point = root.join(point);
        assert_eq!(identity(&point), identity(&shown));
        let flags = nix::sys::statvfs::statvfs(&point).unwrap().flags();
        assert!(flags.contains(nix::sys::statvfs::FsFlags::ST_RDONLY), "{point:?}");
    }
}

#[test]
fn a_keeper_makes_no_box_that_it_was_not_started_for() {
    let scene = Scene::new();
    let mut worker = scene.worker();
    let mut count = 0;
    let shapes = [
        ("rootfs", json!("/")),
        ("rootfs", json!("/root")),
        ("rootfs", json!(scene.store)),
        ("mounts", json!(["/root"])),
        ("mounts", json!(["/etc/shadow"])),
        ("mounts", json!(["/"])),
        ("mounts", json!([scene.mount, scene.outside])),
        ("mounts", json!([scene.mount.join("../outside")])),
        ("mounts", json!([scene.mount.join("below")])),
        ("mounts", json!(["/usr/../root"])),
        ("mounts", json!(vec!["/opt"; 2000])),
        ("hostname", json!("a".repeat(65))),
        ("hostname", json!("a\nb")),
        ("hostname", json!("a\u{0}b")),
        ("workspace", json!("0B")),
        ("workspace", json!("4000TiB")),
        ("workspace_inodes", json!(0)),
        ("workspace_inodes", json!(u64::MAX)),
        ("profile", json!("everything")),
        ("uid", json!(0)),
    ];
    for (field, value) in shapes {
        let request = json!({ "Open": { "shape": shape_with(field, value), "core": null } });
        let reason = worker.assert_refused(&request, &mut count);
        // Named by what is wrong, not taken for a broken message; those that are none have other fields.
        assert!(["profile", "uid"].contains(&field) || !reason.contains("column"), "{request}: {reason}");
    }
    for core in [json!(100_000), json!(1023), json!(-1)] {
        worker.assert_refused(&json!({ "Open": { "shape": shape(), "core": core } }), &mut count);
    }
    for number in [0, 1, u64::MAX] {
        for operation in ["Renew", "FreshLeaf", "MakeReadable", "Close"] {
            worker.assert_refused(&json!({ operation: { "number": number } }), &mut count);
        }
    }
    // Neither are messages that are no requests its end.
    for bytes in [b"{".as_slice(), b"\"Halt\"", b"[]", b"\xff\xff", &[b'['; 100_000], &[b' '; 140_000]] {
        let (answer, descriptors) = worker.say(bytes, &[]);
        assert_refusal(&answer, &descriptors, &mut count, "bytes");
    }
    let secret = File::open("/etc/passwd").unwrap();
    let request = json!({ "Open": { "shape": shape(), "core": null } }).to_string();
    let (answer, descriptors) = worker.say(request.as_bytes(), &[secret.as_raw_fd()]);
    let reason = assert_refusal(&answer, &descriptors, &mut count, "descriptors");
    assert!(reason.contains("1 descriptors"), "{reason}");

    let mounts = json!([scene.mount, "/nothing/here"]);
    let (answer, _) = worker.ask(&json!({ "Open": { "shape": shape_with("mounts", mounts), "core": null } }));
    assert!(answer.get("Opened").is_some(), "{answer}");
    worker.end();
}

#[test]
fn a_keeper_serves_nothing_before_its_start_and_starts_once() {
    let scene = Scene::new();
    let mut worker = FalseWorker::new();
    let mut count = 0;
    worker.assert_refused(&json!({ "Open": { "shape": shape(), "core": null } }), &mut count);
    worker.assert_refused(&json!({ "View": { "source": source(&scene.store) } }), &mut count);
    worker.end();
    for wrong in ["/", "/proc", "/sys/fs", "/nothing/here"] {
        let mut worker = FalseWorker::new();
        let list = json!({ "stores": [wrong], "packages": [], "mounts": [], "rootfs": null });
        worker.ask(&json!({ "List": list }));
        let (answer, _) = worker.ask(&json!({ "Start": { "demanded": null } }));
        assert!(answer["Failed"]["detail"].as_str().unwrap().contains(wrong), "{answer}");
        // No second attempt with another list.
        worker.end();
    }
}

#[test]
fn a_directory_that_is_exchanged_for_a_link_is_never_followed() {
    let scene = Scene::new();
    let mut worker = scene.worker();
    let victim = scene.store.join("victim");
    let (good, link) = (scene.store.join("good"), scene.store.join("to-outside"));
    std::fs::create_dir(&good).unwrap();
    symlink(&scene.outside, &link).unwrap();
    std::fs::rename(&good, &victim).unwrap();
    let inode = victim.metadata().unwrap().ino();
    let named = source(&victim);
    let (done, mut shown, mut denied) = (AtomicBool::new(false), 0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                std::fs::rename(&victim, &good).unwrap();
                std::fs::rename(&link, &victim).unwrap();
                std::fs::rename(&victim, &link).unwrap();
                std::fs::rename(&good, &victim).unwrap();
            }
        });
        for _ in 0..3000 {
            let (answer, views) = worker.ask(&json!({ "View": { "source": named } }));
            match views.first() {
                Some(view) => {
                    let found = view.directory().metadata().unwrap().ino();
                    assert_eq!(found, inode, "{answer}");
                    shown += 1;
                }
                None => denied += 1,
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    println!("{shown} shown, {denied} denied");
    worker.end();
}

#[test]
fn a_keeper_opens_no_file_that_was_not_listed() {
    let scene = Scene::new();
    let place = scene.outside.join("inner");
    let password = place.join("password");
    std::fs::write(&password, "first").unwrap();
    let mut list = scene.list();
    list["files"] = json!([password, "/nothing/here"]);
    let mut worker = FalseWorker::started(&list);
    let mut count = 0;
    let read = |path: &Path| json!({ "Read": { "path": path } });
    let unlisted = [
        Path::new("/etc/shadow"),
        &scene.outside.join("file"),
        &place.join("../file"),
        &place,
        Path::new(""),
    ];
    for path in unlisted {
        worker.assert_refused(&read(path), &mut count);
    }
    let content = |worker: &mut FalseWorker| {
        let (answer, files) = worker.ask(&read(&password));
        assert_eq!(answer, json!({ "Done": { "roles": ["File"] } }));
        std::io::read_to_string(files[0].directory()).unwrap()
    };
    assert_eq!(content(&mut worker), "first");
    // Replaced, as passwords are, also by a link in the same directory, as in Kubernetes.
    std::fs::write(place.join("second"), "second").unwrap();
    std::fs::rename(place.join("second"), &password).unwrap();
    assert_eq!(content(&mut worker), "second");
    std::fs::write(place.join("third"), "third").unwrap();
    std::fs::remove_file(&password).unwrap();
    symlink("third", &password).unwrap();
    assert_eq!(content(&mut worker), "third");
    for target in ["/etc/shadow", "../file", "/proc/self/environ"] {
        std::fs::remove_file(&password).unwrap();
        symlink(target, &password).unwrap();
        worker.assert_refused(&read(&password), &mut count);
    }
    std::fs::remove_file(&password).unwrap();
    nix::unistd::mkfifo(&password, Mode::S_IRWXU).unwrap();
    worker.assert_refused(&read(&password), &mut count);
    std::fs::remove_file(&password).unwrap();
    for path in [password.as_path(), Path::new("/nothing/here")] {
        let (answer, _) = worker.ask(&read(path));
        assert!(answer["Failed"]["detail"].as_str().unwrap().contains("No such file"), "{answer}");
    }
    worker.end();
}
