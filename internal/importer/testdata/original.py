# -*- coding: utf-8 -*-
"""What we watch."""
import os
import pharos
from pharos import WatcherSet

page_title = "My First " 'Dashboard'
page_tag = r'it\s fine'
HOST = "shop.example"
fast = (0.001, .1, 1.0)

class Odd(pharos.CommandMetricWatcher):
    pass

shop = [
    pharos.CommandMetricWatcher(name="Is True?", command="true"),   # always
    pharos.PageGETMetricWatcher(
        name="Home page",
        url="http://" + HOST + "/",
        thresholds=fast,
        interval=5000,
    ),
    pharos.PageGETMetricWatcher(name="From slw", url='http://shop.example/a?b=c', thresholds=(0, 5, 20), ssh_host="slw"),
    Odd(name="Odd", colour="red"),
    pharos.CommandMetricWatcher(name='Quotes', command='echo "a \'b\'" \\\n && echo ${HOME} ${PATH}'),
]
shop.append(pharos.CommandMetricWatcher(name="Later", command="""one
two"""))
shop += [pharos.CommandMetricWatcher(name="Later", command="x %s" % HOST)]

for i in range(3):
    shop.append(i)

metric_watcher_sets = [
    pharos.WatcherSet("Shop", shop),
    WatcherSet(name="Empty", watchers=[]),
]
metric_watchers = [pharos.CommandMetricWatcher(name="Alone", command="false", interval=50)]
