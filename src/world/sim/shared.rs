//! A value that forks of a world share until one of them changes it.

use std::cell::{Ref, RefCell, RefMut};
use std::rc::Rc;

/// A cell whose clones share the value until one is written.
#[derive(Clone, Debug, Default)]
pub struct Shared<T>(RefCell<Rc<T>>);

impl<T: Clone> Shared<T> {
    /// A value of its own.
    pub fn new(value: T) -> Self {
        Self(RefCell::new(Rc::new(value)))
    }

    /// Reads it.
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref::map(self.0.borrow(), |value| &**value)
    }

    /// Writes it; from here on it is shared no more.
    pub fn borrow_mut(&self) -> RefMut<'_, T> {
        RefMut::map(self.0.borrow_mut(), Rc::make_mut)
    }

    /// Whether both share one value, which then is equal.
    pub fn same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0.borrow(), &other.0.borrow())
    }
}
