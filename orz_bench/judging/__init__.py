"""Models as judges: yes-no questions about responses, asked through an engine, for `orz-analysis detect`"""
