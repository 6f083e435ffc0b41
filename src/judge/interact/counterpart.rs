//! The jury's side of a problem, compiled.

use crate::cancel::CancelToken;
use crate::judge::Judge;
use crate::judge::fault::Fault;
use crate::judge::tool::{Tool, Workshop};
use crate::package::{Communication, Interaction, Interactor, Package};
use crate::units::Bytes;

/// What stands opposite the contestant's program.
#[derive(Debug)]
pub(in crate::judge) enum Counterpart<'a> {
    /// Nothing.
    None,
    /// A program it talks with.
    Interactor(Box<Tool>, &'a Interactor),
    /// A program that several of its processes talk with.
    Manager(Box<Tool>, &'a Communication),
    /// A second process of the same program.
    SecondStep,
}

impl<'a> Counterpart<'a> {
    /// Compiles what the package has.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(in crate::judge) fn make(
        judge: &Judge,
        package: &'a Package,
        output_limit: Bytes,
        cancel: &CancelToken,
    ) -> Result<Self, Fault> {
        let workshop = Workshop { judge, cancel, handed: output_limit };
        Ok(match &package.interaction {
            Interaction::None => Self::None,
            Interaction::TwoSteps => Self::SecondStep,
            Interaction::Interactive(interactor) => {
                let tool = workshop.make_buffered(
                    "interactor",
                    &interactor.program,
                    interactor.limits,
                    !interactor.unbuffered,
                )?;
                Self::Interactor(Box::new(tool), interactor)
            }
            Interaction::Communication(communication) => {
                let tool = workshop.make("manager", &communication.manager, communication.limits)?;
                Self::Manager(Box::new(tool), communication)
            }
        })
    }
}
