use std::process::ExitCode;
fn main() -> ExitCode {
    gavel::sandbox::keeper_main()
}
