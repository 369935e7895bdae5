//! Strongly connected components, and shortest ways back within one.

use std::collections::VecDeque;

use crate::points::Edges;

/// The component of each point (Tarjan, "Depth-first search and linear graph algorithms", 1972; with a stack of its own
/// instead of recursion, for histories are long).
pub(crate) fn components(edges: &[Edges]) -> Vec<usize> {
    const UNSEEN: usize = usize::MAX;
    let mut numbers = vec![UNSEEN; edges.len()];
    let mut lowest = vec![0; edges.len()];
    let mut component = vec![UNSEEN; edges.len()];
    let (mut open, mut next_number, mut next_component) = (Vec::new(), 0, 0);
    for root in 0..edges.len() {
        if numbers[root] != UNSEEN {
            continue;
        }
        // Points on the way down, each with the edge that comes next.
        let mut path = vec![(root, 0)];
        while let Some((point, edge)) = path.pop() {
            if edge == 0 {
                (numbers[point], lowest[point]) = (next_number, next_number);
                next_number += 1;
                open.push(point);
            }
            if let Some((to, _)) = edges[point].get(edge) {
                path.push((point, edge + 1));
                if numbers[*to] == UNSEEN {
                    path.push((*to, 0));
                } else if component[*to] == UNSEEN {
                    lowest[point] = lowest[point].min(numbers[*to]);
                }
                continue;
            }
            if let Some((parent, _)) = path.last() {
                lowest[*parent] = lowest[*parent].min(lowest[point]);
            }
            if lowest[point] == numbers[point] {
                while let Some(member) = open.pop() {
                    component[member] = next_component;
                    if member == point {
                        break;
                    }
                }
                next_component += 1;
            }
        }
    }
    component
}

/// The fewest edges from one point to another over those that `allowed` lets pass: of each the point that it leaves and
/// its dependency.
pub(crate) fn shortest(
    edges: &[Edges],
    from: usize,
    to: usize,
    allowed: impl Fn(usize, Option<usize>) -> bool,
) -> Option<Vec<(usize, Option<usize>)>> {
    let mut came_by: Vec<Option<(usize, Option<usize>)>> = vec![None; edges.len()];
    let mut queue = VecDeque::from([from]);
    while let Some(point) = queue.pop_front() {
        if point == to {
            let (mut path, mut at) = (Vec::new(), to);
            while at != from {
                let (before, edge) = came_by[at].expect("it was come to");
                path.push((before, edge));
                at = before;
            }
            path.reverse();
            return Some(path);
        }
        for (next, edge) in &edges[point] {
            if *next != from && came_by[*next].is_none() && allowed(*next, *edge) {
                came_by[*next] = Some((point, *edge));
                queue.push_back(*next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[&[usize]]) -> Vec<Edges> {
        edges.iter().map(|to| to.iter().map(|to| (*to, None)).collect()).collect()
    }

    #[test]
    fn points_that_reach_each_other_share_a_component() {
        let edges = graph(&[&[1], &[2], &[0, 3], &[4], &[5, 3], &[], &[6]]);
        let found = components(&edges);
        assert_eq!((found[0], found[1], found[3]), (found[1], found[2], found[4]));
        assert!(found[0] != found[3] && found[5] != found[4] && found[6] != found[0]);
    }

    #[test]
    fn a_long_history_needs_no_stack() {
        let edges: Vec<Edges> = (0..300_000).map(|point| vec![((point + 1) % 300_000, None)]).collect();
        assert!(components(&edges).iter().all(|component| *component == 0));
    }

    #[test]
    fn the_shortest_way_is_found() {
        let edges = graph(&[&[1, 2], &[3], &[4], &[4], &[0]]);
        let path = shortest(&edges, 0, 4, |_, _| true).expect("there is a way");
        assert_eq!(path.iter().map(|(point, _)| *point).collect::<Vec<_>>(), [0, 2]);
        assert!(shortest(&edges, 0, 4, |to, _| to != 2 && to != 3).is_none());
    }
}
