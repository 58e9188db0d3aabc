//! Conditions, with three answers: yes, no, and nothing (FHIRPath §6.5).
//!
//! Trouble on one side of an operator is none if the other side settles it.

use super::{Answer, Flow, Machine, Scope};
use crate::item::{Item, System};
use crate::syntax::{Call, Function, Node, Operator, TypeName};
use crate::trouble::Trouble;

impl<'a> Machine<'a, '_> {
    /// What a node is as a condition.
    pub(crate) fn truth(&self, node: &'a Node, scope: &Scope<'a, '_>) -> Answer<Option<bool>> {
        match node {
            Node::Binary(operator, left, right) if is_condition(*operator) => {
                self.operate(*operator, left, right, scope)
            }
            Node::Is(operand, of) => self.is_type(Some(operand), *of, scope),
            Node::Call(left, call) => match self.test(left.as_deref(), call, scope) {
                Some(truth) => truth,
                None => self.truth_of_single(node, scope),
            },
            _ => self.truth_of_single(node, scope),
        }
    }

    fn truth_of_single(&self, node: &'a Node, scope: &Scope<'a, '_>) -> Answer<Option<bool>> {
        Ok(self.single(node, scope)?.and_then(|item| self.as_truth(&item)))
    }

    /// A single item that is no boolean is true (FHIRPath §4.5), a boolean without a value is nothing.
    fn as_truth(&self, item: &Item<'a>) -> Option<bool> {
        self.boolean(item).or_else(|| (!self.is(item, TypeName::System(System::Boolean))).then_some(true))
    }

    /// Comparisons and logic.
    pub(crate) fn operate(
        &self,
        operator: Operator,
        left: &'a Node,
        right: &'a Node,
        scope: &Scope<'a, '_>,
    ) -> Answer<Option<bool>> {
        let negated = |truth: Answer<Option<bool>>| Ok(truth?.map(|truth| !truth));
        match operator {
            Operator::And => self.either(false, left, right, scope),
            Operator::Or => self.either(true, left, right, scope),
            Operator::Xor => {
                let (left, right) = (self.truth(left, scope)?, self.truth(right, scope)?);
                Ok(left.zip(right).map(|(left, right)| left != right))
            }
            Operator::Implies => self.implies(left, right, scope),
            Operator::Equal => self.equals(left, right, scope),
            Operator::NotEqual => negated(self.equals(left, right, scope)),
            Operator::Equivalent => self.equivalent(left, right, scope).map(Some),
            Operator::NotEquivalent => negated(self.equivalent(left, right, scope).map(Some)),
            Operator::In => self.within(left, right, scope),
            Operator::Contains => self.within(right, left, scope),
            _ => self.orders(operator, left, right, scope),
        }
    }

    /// `or` for true, `and` for false: the one that decides if either side is so.
    fn either(
        &self,
        decisive: bool,
        left: &'a Node,
        right: &'a Node,
        scope: &Scope<'a, '_>,
    ) -> Answer<Option<bool>> {
        let left = self.truth(left, scope);
        if left == Ok(Some(decisive)) {
            return left;
        }
        let right = self.truth(right, scope);
        match (left, right) {
            (_, Ok(Some(truth))) if truth == decisive => Ok(Some(decisive)),
            (Err(trouble), _) | (_, Err(trouble)) => Err(trouble),
            (Ok(Some(_)), Ok(Some(_))) => Ok(Some(!decisive)),
            _ => Ok(None),
        }
    }

    fn implies(&self, left: &'a Node, right: &'a Node, scope: &Scope<'a, '_>) -> Answer<Option<bool>> {
        let left = self.truth(left, scope);
        if left == Ok(Some(false)) {
            return Ok(Some(true));
        }
        match (left, self.truth(right, scope)) {
            (_, Ok(Some(true))) => Ok(Some(true)),
            (Err(trouble), _) | (_, Err(trouble)) => Err(trouble),
            (Ok(Some(_)), Ok(Some(false))) => Ok(Some(false)),
            _ => Ok(None),
        }
    }

    /// What functions with a boolean result answer; `None` for all others.
    pub(crate) fn test(
        &self,
        left: Option<&'a Node>,
        call: &'a Call,
        scope: &Scope<'a, '_>,
    ) -> Option<Answer<Option<bool>>> {
        use Function as F;
        let certain = |truth: Answer<bool>| Some(truth.map(Some));
        match call.function {
            F::Exists => certain(self.exists(left, call.arguments.first(), scope)),
            F::Empty => certain(self.exists(left, None, scope).map(|exists| !exists)),
            F::Not => Some(self.negation(left, scope)),
            F::All => certain(self.all(left, call.arguments.first(), scope)),
            F::AllTrue => certain(self.every(left, scope, true)),
            F::AllFalse => certain(self.every(left, scope, false)),
            F::AnyTrue => certain(self.every(left, scope, false).map(|none| !none)),
            F::AnyFalse => certain(self.every(left, scope, true).map(|all| !all)),
            F::HasValue => certain(self.has_value(left, scope)),
            F::Is => Some(self.is_type(left, call.of, scope)),
            F::IsDistinct => certain(self.is_distinct(left, scope)),
            F::SubsetOf | F::SupersetOf => certain(self.subset(left, call, scope)),
            F::StartsWith | F::EndsWith | F::Contains | F::Matches | F::MatchesFull => {
                Some(self.string_test(left, call, scope))
            }
            F::ConvertsToBoolean
            | F::ConvertsToInteger
            | F::ConvertsToDecimal
            | F::ConvertsToText
            | F::ConvertsToDate
            | F::ConvertsToDateTime
            | F::ConvertsToTime
            | F::ConvertsToQuantity => Some(self.converts(left, call.function, scope)),
            F::Comparable => Some(self.comparable(left, call, scope)),
            F::MemberOf | F::ConformsTo | F::HtmlChecks | F::HtmlChecks2 => {
                Some(self.fhir_test(left, call, scope))
            }
            _ => None,
        }
    }

    fn exists(
        &self,
        left: Option<&'a Node>,
        criteria: Option<&'a Node>,
        scope: &Scope<'a, '_>,
    ) -> Answer<bool> {
        let (mut found, mut index) = (false, 0);
        self.input(left, scope, &mut |item| {
            found = match criteria {
                None => true,
                Some(criteria) => self.truth(criteria, &scope.round(&item, index))? == Some(true),
            };
            index += 1;
            Ok(if found { Flow::Enough } else { Flow::More })
        })?;
        Ok(found)
    }

    fn all(&self, left: Option<&'a Node>, criteria: Option<&'a Node>, scope: &Scope<'a, '_>) -> Answer<bool> {
        let criteria = criteria.ok_or(Trouble::Unsupported)?;
        let (mut all, mut index) = (true, 0);
        self.input(left, scope, &mut |item| {
            all = self.truth(criteria, &scope.round(&item, index))? == Some(true);
            index += 1;
            Ok(if all { Flow::More } else { Flow::Enough })
        })?;
        Ok(all)
    }

    /// Whether all items are true, or all are false.
    fn every(&self, left: Option<&'a Node>, scope: &Scope<'a, '_>, wanted: bool) -> Answer<bool> {
        let mut all = true;
        self.input(left, scope, &mut |item| {
            all = self.boolean(&item).ok_or(Trouble::Types)? == wanted;
            Ok(if all { Flow::More } else { Flow::Enough })
        })?;
        Ok(all)
    }

    fn negation(&self, left: Option<&'a Node>, scope: &Scope<'a, '_>) -> Answer<Option<bool>> {
        let truth = match left {
            Some(left) => self.truth(left, scope)?,
            None => self.only(None, scope)?.and_then(|item| self.as_truth(&item)),
        };
        Ok(truth.map(|truth| !truth))
    }
}

fn is_condition(operator: Operator) -> bool {
    !matches!(
        operator,
        Operator::Union
            | Operator::Concatenate
            | Operator::Plus
            | Operator::Minus
            | Operator::Times
            | Operator::Divide
            | Operator::Div
            | Operator::Mod
    )
}
