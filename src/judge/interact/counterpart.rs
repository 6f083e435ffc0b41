//! The jury's side of an interactive problem, built: an interactor, a manager, or a second process of the submission.

use crate::cancel::CancelToken;
use crate::judge::engine::Engine;
use crate::judge::fault::Fault;
use crate::judge::jury::builder::ProgramBuilder;
use crate::judge::jury::program::BuiltProgram;
use crate::package::{Communication, Interaction, Interactor, Package};
use crate::units::Bytes;

/// The program that a submission interacts with.
#[derive(Debug)]
pub(crate) enum Counterpart<'a> {
    /// None: the submission runs alone.
    None,
    /// An interactor, joined with the submission.
    Interactor(Box<BuiltProgram>, &'a Interactor),
    /// A manager of several processes of the submission.
    Manager(Box<BuiltProgram>, &'a Communication),
    /// A second process of the submission.
    SecondStep,
}

impl<'a> Counterpart<'a> {
    /// Builds the package's interactor or manager.
    ///
    /// # Errors
    /// When it cannot be built.
    pub(crate) fn build(
        engine: &Engine,
        package: &'a Package,
        output_limit: Bytes,
        cancel: &CancelToken,
    ) -> Result<Self, Fault> {
        let builder = ProgramBuilder { engine, cancel, handed: output_limit };
        Ok(match &package.interaction {
            Interaction::None => Self::None,
            Interaction::TwoSteps => Self::SecondStep,
            Interaction::Interactive(interactor) => {
                let jury_program = builder.build_buffered(
                    "interactor",
                    &interactor.program,
                    interactor.limits,
                    !interactor.unbuffered,
                )?;
                Self::Interactor(Box::new(jury_program), interactor)
            }
            Interaction::Communication(communication) => {
                let jury_program = builder.build("manager", &communication.manager, communication.limits)?;
                Self::Manager(Box::new(jury_program), communication)
            }
        })
    }
}
