//! Components: which documents hang together, by union-find.
//!
//! Four bytes a document. The root of a component is its smallest member, so the answer does not depend on the order of
//! the edges. Links go from the larger root to the smaller and paths are halved on the way up: `O(log n)` amortised an
//! operation (Tarjan, van Leeuwen 1984), close to constant in practice.

/// Disjoint sets over `0..n`.
#[derive(Clone, Debug, Default)]
pub struct Components {
    /// The parent of each element; a root is its own. Never larger than the element.
    parents: Vec<u32>,
}

impl Components {
    /// `n` sets of one.
    #[must_use]
    pub fn new(n: u32) -> Self {
        Self { parents: (0..n).collect() }
    }

    /// How many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parents.len()
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// Adds an element in a set of its own and returns its number; `None` if all of `u32` is taken.
    pub fn add(&mut self) -> Option<u32> {
        let element = u32::try_from(self.parents.len()).ok()?;
        self.parents.push(element);
        Some(element)
    }

    /// The smallest member of the set of `x`.
    ///
    /// # Panics
    /// If `x` is not an element.
    pub fn find(&mut self, mut x: u32) -> u32 {
        loop {
            let parent = self.parents[x as usize];
            if parent == x {
                return x;
            }
            let grandparent = self.parents[parent as usize];
            self.parents[x as usize] = grandparent;
            x = grandparent;
        }
    }

    /// [`Components::find`] for who may not change a path.
    ///
    /// # Panics
    /// If `x` is not an element.
    #[must_use]
    pub fn root(&self, mut x: u32) -> u32 {
        while self.parents[x as usize] != x {
            x = self.parents[x as usize];
        }
        x
    }

    /// Joins two sets; whether they were apart before.
    ///
    /// # Panics
    /// If one of the two is not an element.
    pub fn union(&mut self, a: u32, b: u32) -> bool {
        let (a, b) = (self.find(a), self.find(b));
        self.parents[a.max(b) as usize] = a.min(b);
        a != b
    }

    /// The smallest member of each element's set, in order. `O(n)`.
    #[must_use]
    pub fn into_roots(mut self) -> Vec<u32> {
        // A parent is smaller than its child, so it is final when the child comes.
        for x in 0..self.parents.len() {
            self.parents[x] = self.parents[self.parents[x] as usize];
        }
        self.parents
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Paints both ends of every edge with the smaller colour until nothing changes.
    fn naive(n: u32, edges: &[(u32, u32)]) -> Vec<u32> {
        let mut colour: Vec<u32> = (0..n).collect();
        loop {
            let before = colour.clone();
            for &(a, b) in edges {
                let least = colour[a as usize].min(colour[b as usize]);
                colour[a as usize] = least;
                colour[b as usize] = least;
            }
            if colour == before {
                return colour;
            }
        }
    }

    proptest! {
        #[test]
        fn roots_are_the_smallest_of_each_component(edges in proptest::collection::vec((0u32..60, 0u32..60), 0..70)) {
            let mut components = Components::new(60);
            for &(a, b) in &edges {
                let apart = components.find(a) != components.find(b);
                prop_assert_eq!(components.union(a, b), apart);
            }
            let want = naive(60, &edges);
            prop_assert_eq!((0..60).map(|x| components.root(x)).collect::<Vec<_>>(), want.clone());
            prop_assert_eq!((0..60).map(|x| components.find(x)).collect::<Vec<_>>(), want.clone());
            prop_assert_eq!(components.into_roots(), want);
        }
    }

    #[test]
    fn elements_can_be_added() {
        let mut components = Components::default();
        assert!(components.is_empty());
        assert_eq!((components.add(), components.add()), (Some(0), Some(1)));
        assert!(components.union(1, 0) && !components.union(0, 1));
        assert_eq!(components.len(), 2);
    }
}
