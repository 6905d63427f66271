"""What others may use in their own tests of agents and of ropeteam: public, and used by our own tests and the demo.

`ropeteam.testing.scripted`: an agent that plays a recorded script (`ropeteam.testing.script` says what one may hold).
`ropeteam.testing.model_server`: a loopback language-model server that says what a test tells it to.
`ropeteam.testing.clock`: a clock that stands still until it is told to go on.
"""
