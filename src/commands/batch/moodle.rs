//! Reads the file names of Moodle's "Download all submissions".
//!
//! Moodle (`mod/assign/locallib.php`, `download_submissions`) names what a participant handed in
//! `NAME_NUMBER_assignsubmission_TYPE_`, as a folder or, where it is asked not to make folders, before the name of each
//! file. Versions before 2.3 wrote no type. NAME is the participant's, or `Participant` where marking is blind; NUMBER is
//! unique for a participant of an assignment, and what its grading worksheet calls `Participant NUMBER`. Feedback files
//! are taken back in folders of the same names.

/// Parts of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    /// The participant's name.
    pub(crate) name: &'a str,
    /// The participant's number in the assignment.
    pub(crate) number: &'a str,
    /// Plug-in: `file` or `onlinetext`.
    pub(crate) kind: &'a str,
    /// Name of the file itself, where there are no folders.
    pub(crate) rest: &'a str,
}

impl Name<'_> {
    /// The folder that feedback is taken from.
    pub(crate) fn folder(&self) -> String {
        format!("{}_{}_assignsubmission_file_", self.name, self.number)
    }
}

/// Reads a name that Moodle made; returns `None` for any other.
pub(crate) fn read(text: &str) -> Option<Name<'_>> {
    let (participant, rest) = text.split_once("_assignsubmission_")?;
    let (name, number) = participant.rsplit_once('_')?;
    if name.is_empty() || number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (kind, rest) = rest.split_once('_').unwrap_or((rest, ""));
    let is_kind = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_lowercase());
    is_kind.then_some(Name { name, number, kind, rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_files_of_participants_are_told_from_other_names() {
        let name = |text| read(text).map(|name| (name.name, name.number, name.kind, name.rest));
        assert_eq!(
            name("Anna Müller-Lüdenscheidt_10234_assignsubmission_file_"),
            Some(("Anna Müller-Lüdenscheidt", "10234", "file", ""))
        );
        assert_eq!(name("Anna_B_7_assignsubmission_file"), Some(("Anna_B", "7", "file", "")));
        assert_eq!(
            name("Carl_12_assignsubmission_file_my_main.py"),
            Some(("Carl", "12", "file", "my_main.py"))
        );
        assert_eq!(
            name("Participant_12_assignsubmission_onlinetext_onlinetext.html"),
            Some(("Participant", "12", "onlinetext", "onlinetext.html"))
        );
        for other in ["anna.py", "anna_12", "_12_assignsubmission_file_", "anna_x_assignsubmission_file_", ""]
        {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
