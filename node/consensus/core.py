"""The Simplex core: one validator's part in agreement, without I/O, clock or randomness.

The rules, for one validator in one epoch. Views count 1, 2, 3, ...; a quorum is floor(2n/3) + 1 of the
epoch's n validators; a certificate is a quorum of equal votes. "Sent" always means: logged and synced before.

 1. Entering view v, set a timer for the leader's proposal and a longer one for leaving the view (timing.py),
    and send once the certificate that leads here.
 2. The leader of v (leaders.py) proposes one block, on the block notarized in the highest view u < v such that
    every view between u and v is nullified, and shows these certificates. u = 0 is the epoch's opening block.
 3. If that block closes the epoch, nothing extends it: the leader proposes the same block again, unchanged,
    and its header keeps the view of its first proposal.
 4. Notarize the first proposal of v if it is valid: signed by v's leader, justified by rule 2, by rule 3 the
    same block or by its header a child of that parent, of this epoch and view and by this leader, and executed
    with all roots equal. Never in a view other than the current one, never twice in a view, never after
    nullifying it.
 5. Nullify v when a timer of rule 1 fires (the first one only if there is no proposal) or the proposal is
    invalid: only in the current view, once, and never after finalizing it. Notarize and nullify in one view is
    legal, in this order.
 6. A notarization or nullification of v leads to view v + 1, whatever the views between (the certificate shows
    that a quorum has been there).
 7. On a notarization of v, in time or late, send finalize for v, unless v was nullified here.
 8. A finalize certificate of v makes v's block and all its ancestors final. No view below v matters any more.
 9. When the closing block is final, the next epoch begins: view 1, the set and leaders it announces.
10. A view that does not move for a while: send again what is known of it, others' votes included, what leads to
    it, and where one stands; whoever is further answers (catch_up.py).
11. After a restart (the log, log.py): everything sent counts as sent, the view is at least the highest logged
    one, and nothing is proposed in that one or below. Without a log: no votes and no proposals before the
    epoch that `abstain_until` names.

Why it is safe: if v was finalized by a quorum, more than f honest validators will never have nullified v, so
no nullification of v exists, every later proposal builds on v's block or on one above it, and v has no other
notarized block since any two quorums share an honest validator, who notarizes once a view. The log extends
this over crashes. Why it is live: with timers long enough for the network, an honest leader's view is entered
by all honest validators, all of them have what its proposal rests on, notarize it and none nullifies.

What differs from the paper (Chan and Pass, Simplex, TCC 2023; eprint 2023/463):
- one validator never sends nullify and finalize for the same view, where the paper has a timer's vote for the
  dummy block compete with finalize; same rule, also across restarts, and in either order;
- a proposal shows the certificates it rests on, so it can be judged, and its view be entered, from itself;
- a late notarization is finalized too (7), and certificates of far views are entered at once (6);
- a second timer for the leader's proposal, timers that double and fall back (timing.py), winners as leaders;
- an invalid proposal is nullified at once instead of at the timer;
- epochs, closing blocks (3, 9) and abstention (11) are additions; so is asking for missing blocks.
"""

from __future__ import annotations

from collections.abc import Iterable

from node.consensus.catch_up import CatchUp
from node.consensus.epoch_state import EpochState
from node.consensus.intake import Intake
from node.consensus.leaders import leader
from node.consensus.outbox import Outbox
from node.consensus.restore import split_records
from node.consensus.scheme import SignatureScheme
from node.consensus.timing import Timing
from node.consensus.types import (
    AbstentionEnds,
    Action,
    Build,
    Built,
    EpochInfo,
    Event,
    Final,
    FinalBlock,
    Halt,
    MessageReceived,
    NeedSync,
    Notarized,
    Peer,
    Prune,
    SetTimer,
    Started,
    Synced,
    Timer,
    TimerFired,
    TimerKind,
    Validate,
    Validated,
)
