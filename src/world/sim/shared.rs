//! A value that forks of a world share until one of them changes it.

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::hash::{BuildHasher as _, Hash, Hasher};
use std::rc::Rc;

/// Hashes a part of a state.
pub type PartHasher = foldhash::quality::FoldHasher<'static>;

/// A hasher that gives the same everywhere.
pub fn part_hasher() -> PartHasher {
    foldhash::quality::FixedState::default().build_hasher()
}

/// A cell whose clones share the value until one is written.
#[derive(Clone, Debug, Default)]
pub struct Shared<T>(RefCell<Rc<Kept<T>>>);

/// A value with its hash, once somebody has asked for it.
#[derive(Clone, Debug, Default)]
struct Kept<T> {
    value: T,
    hash: Cell<Option<u64>>,
}

impl<T: Clone> Shared<T> {
    /// A value of its own.
    pub fn new(value: T) -> Self {
        Self(RefCell::new(Rc::new(Kept { value, hash: Cell::new(None) })))
    }

    /// Reads it.
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref::map(self.0.borrow(), |kept| &kept.value)
    }

    /// Writes it; from here on it is shared no more.
    pub fn borrow_mut(&self) -> RefMut<'_, T> {
        RefMut::map(self.0.borrow_mut(), |kept| {
            let kept = Rc::make_mut(kept);
            kept.hash.set(None);
            &mut kept.value
        })
    }

    /// Whether both share one value, which then is equal.
    pub fn same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0.borrow(), &other.0.borrow())
    }

    /// Hashes what `of` gives of the value, once for all forks that share it. Always the same `of` for one cell. 64 bits are enough
    /// here: they are a part of the 128 of a whole state.
    pub fn digest(&self, of: impl FnOnce(&T, &mut PartHasher)) -> u64 {
        let kept = self.0.borrow();
        kept.hash.get().unwrap_or_else(|| {
            let mut hasher = part_hasher();
            of(&kept.value, &mut hasher);
            let hash = hasher.finish();
            kept.hash.set(Some(hash));
            hash
        })
    }
}

impl<T: Clone + Hash> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest(|value, hasher| value.hash(hasher)).hash(state);
    }
}
