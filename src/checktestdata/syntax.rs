//! Defines the syntax tree of a script.

use std::sync::Arc;

use super::value::Value;

/// A position in a text; line and column start at 1, columns count bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
}

/// A command and its position.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) at: Position,
    pub(super) kind: CommandKind,
}

#[derive(Debug)]
pub(super) enum CommandKind {
    Space,
    Newline,
    Eof,
    Int {
        min: Expression,
        max: Expression,
        name: Option<Variable>,
    },
    Float {
        min: Expression,
        max: Expression,
        decimals: Option<Decimals>,
        name: Option<Variable>,
        notation: Notation,
    },
    Text(Expression),
    Regex {
        pattern: Expression,
        name: Option<Variable>,
    },
    Assert(Test),
    Set(Vec<(Variable, Expression)>),
    Unset(Vec<Name>),
    /// `REP` and `REPI`.
    Repeat {
        counter: Option<Variable>,
        count: Expression,
        block: Loop,
    },
    /// `WHILE` and `WHILEI`.
    While {
        counter: Option<Variable>,
        condition: Test,
        block: Loop,
    },
    If {
        condition: Test,
        then: Vec<Command>,
        otherwise: Vec<Command>,
    },
}

/// The body of a loop, and the command between its iterations.
#[derive(Debug)]
pub(super) struct Loop {
    pub(super) separator: Option<Box<Command>>,
    pub(super) body: Vec<Command>,
}

/// The least and the most number of decimals of a `FLOATP`.
#[derive(Debug)]
pub(super) struct Decimals {
    pub(super) min: Expression,
    pub(super) max: Expression,
}

/// The notations that a `FLOAT` accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    Any,
    Fixed,
    Scientific,
}

pub(super) type Name = Arc<str>;

/// A variable, with its indices if it is an element of an array.
#[derive(Debug)]
pub(super) struct Variable {
    pub(super) at: Position,
    pub(super) name: Name,
    pub(super) indices: Vec<Expression>,
}

#[derive(Debug)]
pub(super) struct Expression {
    pub(super) at: Position,
    /// Returns the height of the tree.
    pub(super) height: u32,
    pub(super) kind: ExpressionKind,
}

#[derive(Debug)]
pub(super) enum ExpressionKind {
    Constant(Value),
    Variable(Variable),
    Negate(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    Length(Box<Expression>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

#[derive(Debug)]
pub(super) enum Test {
    Not(Box<Test>),
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
    Compare(Comparison, Expression, Expression),
    IsEof,
    Match(Expression),
    Unique(Position, Vec<Name>),
    InArray(Expression, Position, Name),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    Greater,
    LessOrEqual,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl Comparison {
    pub(super) fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::Greater => order.is_gt(),
            Self::LessOrEqual => order.is_le(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
        }
    }
}

impl Command {
    /// Returns its keyword.
    pub(super) fn keyword(&self) -> &'static str {
        match &self.kind {
            CommandKind::Space => "SPACE",
            CommandKind::Newline => "NEWLINE",
            CommandKind::Eof => "EOF",
            CommandKind::Int { .. } => "INT",
            CommandKind::Float { decimals: None, .. } => "FLOAT",
            CommandKind::Float { .. } => "FLOATP",
            CommandKind::Text(_) => "STRING",
            CommandKind::Regex { .. } => "REGEX",
            CommandKind::Assert(_) => "ASSERT",
            CommandKind::Set(_) => "SET",
            CommandKind::Unset(_) => "UNSET",
            CommandKind::Repeat { counter: None, .. } => "REP",
            CommandKind::Repeat { .. } => "REPI",
            CommandKind::While { counter: None, .. } => "WHILE",
            CommandKind::While { .. } => "WHILEI",
            CommandKind::If { .. } => "IF",
        }
    }
}
