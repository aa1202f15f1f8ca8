"""What the shells offer when somebody types TAB: words made from the tables that the modes run by.

The scripts of the shells (`hirte/ctl/scripts.py`) hand over the line and take back words, so all
that is known of hirte is known here. Rules of this ring:

- It answers at once. Nothing is imported that a word does not need: no argparse, and the client
  only for names of nodes and units. The manager gets `live.PATIENCE`, and then no more.
- It never complains: what cannot be found out is not offered.
- A new verb or option is a row of its own table and nothing here. Only a new kind of word is
  something new: `kinds.py` says what there is of it.
"""
