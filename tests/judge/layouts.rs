//! Programs laid out the way other judges allow: entry points that are not named as their files.

use crate::common::{Scene, text};

/// Judges the folder with A + B and expects it accepted.
fn accepted(scene: &Scene, files: &[(&str, &str)]) {
    let package = scene.sum_package(&[(1, 2)]);
    let mut folder = None;
    for (name, source) in files {
        folder = scene.write(&format!("program/{name}"), source).parent().map(ToOwned::to_owned);
    }
    let report = scene.report(&[text(&package), text(&folder.unwrap())]);
    assert_eq!(report["verdict"], "AC", "{report}");
}

const MAIN: &str = "public static void main(String[] a) { var in = new java.util.Scanner(System.in); \
                    System.out.println(in.nextInt() + in.nextInt()); }";

#[test]
fn a_java_class_with_another_name_than_its_file_is_started() {
    accepted(&Scene::new(), &[("test-sum.java", &format!("class Helper {{}}\nclass Main {{ {MAIN} }}\n"))]);
}

#[test]
fn a_public_java_class_in_a_file_of_another_name_is_compiled_and_started() {
    accepted(&Scene::new(), &[("submission-1.java", &format!("public class Sum {{ {MAIN} }}\n"))]);
}

#[test]
fn java_packages_are_no_obstacle() {
    let main = format!("package b.c;\nimport a.A;\npublic class B {{ {MAIN} A a; }}\n");
    accepted(&Scene::new(), &[("A.java", "package a;\npublic class A {}\n"), ("B.java", &main)]);
}

#[test]
fn of_several_java_main_classes_the_one_named_as_the_first_file_is_started() {
    let wrong = "public class A { public static void main(String[] a) {} }\n";
    accepted(
        &Scene::new(),
        &[("A.java", wrong), ("Main.java", &format!("public class Main {{ {MAIN} }}\n"))],
    );
}

#[test]
fn what_javac_says_reaches_the_report() {
    let scene = Scene::new();
    let package = scene.sum_package(&[(1, 2)]);
    let source = scene.write("Main.java", "class Main { int nonsense() { return absent; } }\n");
    let report = scene.report(&[text(&package), text(&source)]);
    assert_eq!(report["verdict"], "CE", "{report}");
    assert!(report["compile"]["log"].as_str().unwrap().contains("absent"), "{report}");
}

#[test]
fn a_pascal_unit_that_comes_first_is_not_taken_for_the_program() {
    let unit = "unit adding;\ninterface\nfunction add(a, b: longint): longint;\nimplementation\n\
                function add(a, b: longint): longint;\nbegin\n  add := a + b;\nend;\nend.\n";
    let program = "uses adding;\nvar\n  a, b: longint;\nbegin\n  read(a, b);\n  writeln(add(a, b));\nend.\n";
    accepted(&Scene::new(), &[("adding.pp", unit), ("sum.pas", program)]);
}
