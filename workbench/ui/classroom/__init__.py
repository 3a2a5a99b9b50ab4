"""The guided path for a class: eight stops over the pages, predict, then see."""
